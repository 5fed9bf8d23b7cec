package sessiontree.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Measures the jar under the workloads that it has goals for, and prints one table. Run it by
 * {@code ./run.sh bench}, which builds what is needed and says how the jar is started.
 */
@Command(
    name = "run.sh bench",
    description = {
      "Measures the server's jar, and beside it two servers that drop what they receive.",
      "JAVA_OPTS, -Xmx1g unless set, are for all servers."
    },
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false)
final class Bench implements Callable<Integer> {
  private static final Map<String, Lab.Workload> WORKLOADS = new LinkedHashMap<>();

  static {
    Servers.Kind own = Servers.Kind.SESSIONTREE;
    Servers.Kind frames = Servers.Kind.FRAMES;
    Servers.Kind messages = Servers.Kind.MESSAGES;
    add(new Streamed("bulk", 4, 4, 1_000, 1_000, false, own, frames, messages));
    WORKLOADS.put("finish", new Finish());
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

  @Parameters(
      paramLabel = "WORKLOAD",
      arity = "0..*",
      description =
          "bulk, finish, typical, small, latency, connections, get, start, idle, growth; all of them unless named")
  private List<String> workloads = List.of();

  @Option(names = "--runs", description = "of each workload; the median is shown")
  private int runs = 3;

  @Option(names = "--warm", paramLabel = "SECONDS", description = "warm-up of each server")
  private double warmSeconds = 10;

  @Option(
      names = "--cpu",
      paramLabel = "SECONDS",
      description = "a streamed run repeats its load until the server took so much CPU time")
  private double cpuSeconds = 1;

  @Option(names = "--extra", paramLabel = "BYTES", description = "one more member of each event")
  private int extraBytes;

  @Option(names = "--unicode", description = "names in many scripts")
  private boolean unicode;

  @Option(names = "--in-order", description = "timestamps that ascend")
  private boolean inOrder;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      description = "for which the connections of connections send")
  private int seconds = 60;

  @Option(
      names = "--session-events",
      paramLabel = "N",
      description = "the largest session of growth, 10000000 at most")
  private int sessionEvents = 1_000_000;

  @Option(names = "--stored", paramLabel = "N", description = "many stored sessions, of growth")
  private int storedSessions = 10_000;

  @Option(
      names = "--scale",
      paramLabel = "FACTOR",
      description = "multiplies counts and times, for a quick try that measures nothing")
  private double scale = 1;

  @Option(names = "--folder", description = "where the stores are made; target/ unless set")
  private Path folder;

  public static void main(String[] args) {
    System.exit(new CommandLine(new Bench()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    for (String name : workloads) {
      if (!WORKLOADS.containsKey(name)) {
        System.err.println("no workload " + name + "; there are " + WORKLOADS.keySet());
        return CommandLine.ExitCode.USAGE;
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
    return table.hasFailures() ? CommandLine.ExitCode.SOFTWARE : CommandLine.ExitCode.OK;
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
