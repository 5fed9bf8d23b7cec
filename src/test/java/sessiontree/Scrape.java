package sessiontree;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The content of {@code /metrics}, parsed strictly by Prometheus's text format 0.0.4.
 *
 * @param types by metric family
 * @param samples values by name and labels, as written
 */
record Scrape(Map<String, String> types, Map<String, Double> samples) {
  private static final String NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
  private static final String LABEL = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\]|\\\\[\\\\n\"])*\"";
  private static final Pattern HELP = Pattern.compile("# HELP (" + NAME + ") (.+)");
  private static final Pattern TYPE =
      Pattern.compile("# TYPE (" + NAME + ") (counter|gauge|histogram|summary|untyped)");
  private static final Pattern SAMPLE =
      Pattern.compile("(" + NAME + ")(\\{" + LABEL + "(?:," + LABEL + ")*,?\\})? (\\S+)( -?\\d+)?");

  static Scrape of(JarServer server, String... headers) throws IOException, InterruptedException {
    HttpResult response = HttpResult.send(server, "GET", "/metrics", headers);
    if (response.status() != 200) {
      throw new AssertionError("no metrics: " + response);
    }
    return parse(response.body());
  }

  static Scrape parse(String text) {
    if (!text.endsWith("\n")) {
      throw new AssertionError("no newline at the end");
    }
    Map<String, String> helps = new HashMap<>();
    Map<String, String> types = new LinkedHashMap<>();
    Map<String, Double> samples = new LinkedHashMap<>();
    for (String line : text.split("\n")) {
      Matcher help = HELP.matcher(line);
      Matcher type = TYPE.matcher(line);
      Matcher sample = SAMPLE.matcher(line);
      Object before = null;
      if (help.matches()) {
        before = helps.put(help.group(1), help.group(2));
      } else if (type.matches()) {
        before = types.put(type.group(1), type.group(2));
      } else if (sample.matches()) {
        String family = family(sample.group(1), types);
        if (!helps.containsKey(family)) {
          throw new AssertionError("no HELP and TYPE before sample: " + line);
        }
        String labels = sample.group(2) == null ? "" : sample.group(2);
        before = samples.put(sample.group(1) + labels, number(sample.group(3)));
      } else {
        throw new AssertionError("invalid line: " + line);
      }
      if (before != null) {
        throw new AssertionError("duplicate line: " + line);
      }
    }
    return new Scrape(types, samples);
  }

  private static String family(String name, Map<String, String> types) {
    if (types.containsKey(name)) {
      return name;
    }
    String family = name.replaceFirst("_(bucket|sum|count)$", "");
    String type = types.get(family);
    boolean parted =
        "histogram".equals(type) || "summary".equals(type) && !name.endsWith("_bucket");
    return parted ? family : null;
  }

  private static double number(String text) {
    return switch (text) {
      case "+Inf" -> Double.POSITIVE_INFINITY;
      case "-Inf" -> Double.NEGATIVE_INFINITY;
      default -> Double.parseDouble(text);
    };
  }

  /** Returns the value of a sample of the server, such as {@code streams}; 0 if there is none. */
  double own(String sample) {
    return samples.getOrDefault("sessiontree_" + sample, 0.0);
  }
}
