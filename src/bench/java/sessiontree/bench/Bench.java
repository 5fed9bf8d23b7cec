package sessiontree.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.help.HelpFormatter;

/**
 * Benchmark of the server's jar under the workloads that it has goals for; prints one table. Run it
 * with {@code ./run.sh bench}, which builds what is needed and passes the jar's command line.
 */
final class Bench {
  private static final int WRONG_USAGE = 2;
  private static final Map<String, Lab.Workload> WORKLOADS = new LinkedHashMap<>();

  static {
    Servers.Kind own = Servers.Kind.SESSIONTREE;
    Servers.Kind frames = Servers.Kind.FRAMES;
    Servers.Kind messages = Servers.Kind.MESSAGES;
    add(new Streamed("bulk", 4, 4, 1_000, 1_000, false, own, frames, messages));
    WORKLOADS.put("finish", new Finish());
    WORKLOADS.put("complete", new Complete());
    add(new Streamed("typical", 5_000, 50, 20, 5, false, own, frames));
    add(new Streamed("small", 50, 50, 4_000, 1, false, own, frames));
    add(new Streamed("latency", 8, 8, 2_000, 5, true, own, frames, messages));
    WORKLOADS.put("connections", new Connections());
    WORKLOADS.put("get", new Reads());
    WORKLOADS.put("start", new Starts());
    WORKLOADS.put("idle", new Idle());
    WORKLOADS.put("growth", new Growth());
  }

  private static void add(Streamed workload) {
    WORKLOADS.put(workload.name(), workload);
  }

  private static final Options OPTIONS =
      new Options()
          .addOption(
              null,
              "runs",
              true,
              "number of runs of each workload; the median is shown. Default: 3")
          .addOption(null, "warm", true, "seconds of warm-up of each server. Default: 10")
          .addOption(
              null,
              "cpu",
              true,
              "CPU seconds that the server must use in a streamed run, which repeats its load until then. Default: 1")
          .addOption(
              null,
              "extra",
              true,
              "size of an additional member of each event, in bytes. Default: 0")
          .addOption(null, "unicode", false, "event names in many scripts")
          .addOption(null, "in-order", false, "timestamps that ascend")
          .addOption(
              null,
              "seconds",
              true,
              "seconds for which the connections workload sends. Default: 60")
          .addOption(
              null,
              "session-events",
              true,
              "events of the largest session of growth, 10000000 at most. Default: 1000000")
          .addOption(
              null,
              "stored",
              true,
              "sessions that one server of growth stores beforehand. Default: 10000")
          .addOption(
              null,
              "scale",
              true,
              "multiplies counts and times, for a quick try that measures nothing. Default: 1")
          .addOption(null, "folder", true, "where the stores are created. Default: target/")
          .addOption("h", "help", false, "show this");

  private final List<String> workloads;
  private final int runs;
  private final double warmSeconds;
  private final double cpuSeconds;
  private final int extraBytes;
  private final boolean unicode;
  private final boolean inOrder;
  private final int seconds;
  private final int sessionEvents;
  private final int storedSessions;
  private final double scale;
  private final Path folder; // null unless set

  private Bench(CommandLine line) {
    workloads = line.getArgList();
    runs = Integer.parseInt(line.getOptionValue("runs", "3"));
    warmSeconds = Double.parseDouble(line.getOptionValue("warm", "10"));
    cpuSeconds = Double.parseDouble(line.getOptionValue("cpu", "1"));
    extraBytes = Integer.parseInt(line.getOptionValue("extra", "0"));
    unicode = line.hasOption("unicode");
    inOrder = line.hasOption("in-order");
    seconds = Integer.parseInt(line.getOptionValue("seconds", "60"));
    sessionEvents = Integer.parseInt(line.getOptionValue("session-events", "1000000"));
    storedSessions = Integer.parseInt(line.getOptionValue("stored", "10000"));
    scale = Double.parseDouble(line.getOptionValue("scale", "1"));
    folder = line.hasOption("folder") ? Path.of(line.getOptionValue("folder")) : null;
  }

  public static void main(String[] args) throws IOException {
    try {
      CommandLine line = new DefaultParser(false).parse(OPTIONS, args);
      if (!line.hasOption("help")) {
        System.exit(new Bench(line).run());
      }
      HelpFormatter.builder()
          .setShowSince(false)
          .get()
          .printHelp(
              "run.sh bench [OPTION...] [WORKLOAD...]",
              "Measures the server's jar, and beside it two servers that drop what they receive. JAVA_OPTS,"
                  + " -Xmx1g unless set, are for all servers. The workloads, all of them unless named: "
                  + String.join(", ", WORKLOADS.keySet()),
              OPTIONS,
              "",
              false);
    } catch (ParseException | NumberFormatException e) {
      System.err.println("run.sh bench: " + e.getMessage() + " (see --help)");
      System.exit(WRONG_USAGE);
    }
  }

  private int run() throws IOException {
    for (String name : workloads) {
      if (!WORKLOADS.containsKey(name)) {
        System.err.println("no workload " + name + "; there are " + WORKLOADS.keySet());
        return WRONG_USAGE;
      }
    }
    List<String> jar = List.of(System.getProperty("bench.command").split("\n"));
    List<String> options = List.of(System.getenv("JAVA_OPTS").trim().split(" +"));
    Table table = new Table();
    String loadBefore = Machine.load();
    Path script = Path.of(System.getProperty("bench.script"));
    Path in = folder == null ? script.resolveSibling("target") : folder.toAbsolutePath();
    try (Servers servers = Servers.in(in, jar, options, script.toString())) {
      Frames.Shape shape = new Frames.Shape(0, inOrder, extraBytes, unicode);
      Lab lab =
          new Lab(
              servers,
              table,
              shape,
              runs,
              warmSeconds,
              cpuSeconds * scale,
              scale,
              seconds,
              storedSessions,
              sessionEvents);
      for (Map.Entry<String, Lab.Workload> workload : WORKLOADS.entrySet()) {
        if (workloads.isEmpty() || workloads.contains(workload.getKey())) {
          measure(workload.getKey(), workload.getValue(), lab);
        }
      }
      System.out.println("Machine: " + Machine.describe(servers.folder()) + ".");
      System.out.println("Server: `java " + String.join(" ", servers.flags()) + "`.");
    }
    System.out.printf(
        "Medians of %d runs after %.0f s of warm-up, servers in turn; events %s%s%s; load average %s before, %s after%s.%n%n",
        runs,
        warmSeconds,
        inOrder ? "in order" : "shuffled",
        unicode ? ", names in many scripts" : "",
        extraBytes > 0 ? ", " + extraBytes + " bytes more each" : "",
        loadBefore,
        Machine.load(),
        scale == 1 ? "" : "; **a try at scale " + scale + ", not to be compared**");
    System.out.println(table.markdown());
    return table.hasFailures() ? 1 : 0;
  }

  private static void measure(String name, Lab.Workload workload, Lab lab) throws IOException {
    try {
      workload.measure(lab);
    } catch (IOException | IllegalStateException e) {
      Lab.say("%s failed: %s", name, e);
      lab.table().fail(name, String.valueOf(e.getMessage()));
    }
    lab.servers().clean();
  }
}
