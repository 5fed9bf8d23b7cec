package sessiontree.bench;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The results of all workloads: for each figure the values of its runs. The table shows medians,
 * the range of sessiontree's runs, and the ratio of sessiontree's median to that of each sink.
 */
final class Table {
  private final Map<Row, Map<Servers.Kind, double[]>> values = new LinkedHashMap<>();
  private final Map<String, String> failures = new LinkedHashMap<>();

  private record Row(String workload, String figure) {}

  /** Adds the value of a run. */
  void add(String workload, String figure, Servers.Kind server, double value) {
    values
        .computeIfAbsent(new Row(workload, figure), row -> new LinkedHashMap<>())
        .merge(server, new double[] {value}, Table::joined);
  }

  private static double[] joined(double[] some, double[] one) {
    double[] all = Arrays.copyOf(some, some.length + 1);
    all[some.length] = one[0];
    Arrays.sort(all);
    return all;
  }

  /** Returns the median of a figure's runs. */
  double median(String workload, String figure, Servers.Kind server) {
    return median(values.get(new Row(workload, figure)).get(server));
  }

  private static double median(double[] sorted) {
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  void fail(String workload, String why) {
    failures.put(workload, why.lines().findFirst().orElse("").replace("|", "\\|"));
  }

  boolean hasFailures() {
    return !failures.isEmpty();
  }

  /** Returns the table in markdown. */
  String markdown() {
    StringBuilder text = new StringBuilder("| workload | figure | sessiontree | its runs |");
    List<Servers.Kind> sinks = List.of(Servers.Kind.FRAMES, Servers.Kind.MESSAGES);
    sinks.forEach(sink -> text.append(' ').append(sink.shown()).append(" | ratio |"));
    text.append("\n| --- | --- | ---: | ---: |").append(" ---: | ---: |".repeat(sinks.size()));
    values.forEach(
        (row, servers) -> {
          double[] own = servers.get(Servers.Kind.SESSIONTREE);
          text.append("\n| ").append(row.workload).append(" | ").append(row.figure);
          text.append(" | ").append(own == null ? "–" : shown(median(own))).append(" | ");
          if (own != null && own.length > 1) {
            text.append(shown(own[0])).append(" to ").append(shown(own[own.length - 1]));
          }
          text.append(" |");
          for (Servers.Kind sink : sinks) {
            double[] other = servers.get(sink);
            boolean both = own != null && other != null && median(other) != 0;
            text.append(' ').append(other == null ? "" : shown(median(other))).append(" | ");
            text.append(both ? shown(median(own) / median(other)) : "").append(" |");
          }
        });
    failures.forEach(
        (workload, why) ->
            text.append("\n| ")
                .append(workload)
                .append(" | failed: ")
                .append(why)
                .append(" | | |"));
    return text.toString();
  }

  /** Returns the value with three digits, large ones in thousands or millions. */
  static String shown(double value) {
    if (Math.abs(value) >= 999_500) {
      return digits(value / 1e6) + " M";
    }
    return Math.abs(value) >= 9_999.5 ? digits(value / 1e3) + " k" : digits(value);
  }

  private static String digits(double value) {
    double size = Math.abs(value);
    String format = size >= 99.95 ? "%.0f" : size >= 9.995 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f";
    return String.format(Locale.ROOT, format, value);
  }
}
