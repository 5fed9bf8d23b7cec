package sessiontree.bench;

import java.io.IOException;
import java.util.Map;

/** Many connections, each with a message of two events every second, for some time. */
final class Connections implements Lab.Workload {
  private static final String NAME = "connections";

  /** So many at most. */
  static final int CONNECTIONS = 10_000;

  /** Files that servers and loads have open besides their connections, at most. */
  private static final int OTHER_FILES = 500;

  /** As many connections as the limits of open files allow, which is told in the table. */
  static int count(Lab lab, Target target) throws IOException {
    long files = Math.min(target.maxFiles(), Machine.maxFiles("self"));
    return (int) Math.min(lab.scaled(CONNECTIONS), files - OTHER_FILES);
  }

  @Override
  public void measure(Lab lab) throws IOException {
    int seconds = lab.scaled(lab.seconds());
    Frames frames = Frames.of(lab.shape().withEntries(2), 64);
    try (Lab.Up up = lab.start(Servers.Kind.SESSIONTREE, Servers.Kind.FRAMES)) {
      for (Target target : up.targets.values()) {
        int warm = (int) Math.max(1, lab.warmSeconds());
        try (Steady steady = Steady.open(target.port(), "w", count(lab, target), true)) {
          steady.run(frames, warm);
        }
        target.awaitQuiet();
      }
      for (int run = 0; run < lab.runs(); run++) {
        for (Map.Entry<Servers.Kind, Target> entry : up.targets.entrySet()) {
          Target target = entry.getValue();
          int count = count(lab, target);
          try (Steady steady = Steady.open(target.port(), "r" + run + "-", count, true)) {
            target.awaitQuiet();
            double before = target.cpuSeconds();
            Steady.Result result = steady.run(frames, seconds);
            double share = (target.cpuSeconds() - before) / result.seconds();
            add(lab.table(), entry.getKey(), count, result, share);
          }
          target.awaitQuiet();
        }
      }
    }
  }

  private static void add(
      Table table, Servers.Kind kind, int count, Steady.Result result, double share) {
    table.add(NAME, "connections", kind, count);
    table.add(NAME, "latest ack, ms", kind, result.maxMillis());
    table.add(NAME, "latest send of the client, ms", kind, result.maxLateMillis());
    table.add(NAME, "CPU of one core, %", kind, 100 * share);
    Lab.say(
        "%s, %s: latest ack %.0f ms, %.0f%% of a core",
        NAME, kind.shown(), result.maxMillis(), 100 * share);
  }
}
