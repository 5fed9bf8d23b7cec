package sessiontree.bench;

import java.io.IOException;
import java.util.Map;

/**
 * Many connections that each send an event every {@link Steady#PERIOD_SECONDS}, for some time, as
 * pages do that send each event as it occurs.
 */
final class Connections implements Lab.Workload {
  private static final String NAME = "connections";

  /** Maximum number of connections; a heap of 1 GiB takes a few more. */
  static final int CONNECTIONS = 16_000;

  /** Maximum number of files that a server or a load has open besides its connections. */
  private static final int OTHER_FILES = 500;

  /** Returns how many connections the limits of open files allow; the table shows the number. */
  static int count(Lab lab, Target target) throws IOException {
    long files = Math.min(target.maxFiles(), Machine.maxFiles("self"));
    return (int) Math.min(lab.scaled(CONNECTIONS), files - OTHER_FILES);
  }

  @Override
  public void measure(Lab lab) throws IOException {
    int seconds = lab.scaled(lab.seconds());
    Frames frames = Frames.of(lab.shape().withEntries(1), 64);
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
            double cpu = target.cpuSeconds() - before;
            add(lab.table(), entry.getKey(), count, result, cpu, target.residentMegabytes());
          }
          target.awaitQuiet();
        }
      }
    }
  }

  private static void add(
      Table table,
      Servers.Kind kind,
      int count,
      Steady.Result result,
      double cpuSeconds,
      double residentMegabytes) {
    double micros = cpuSeconds / result.micros().length * 1e6;
    table.add(NAME, "connections", kind, count);
    table.add(NAME, "CPU of a message, µs", kind, micros);
    table.add(NAME, "ack p50, ms", kind, result.millis(0.5));
    table.add(NAME, "ack p99, ms", kind, result.millis(0.99));
    table.add(NAME, "latest ack, ms", kind, result.millis(1));
    table.add(NAME, "latest send of the client, ms", kind, result.maxLateMillis());
    table.add(NAME, "CPU of one core, %", kind, 100 * cpuSeconds / result.seconds());
    table.add(NAME, "resident, MB", kind, residentMegabytes);
    Lab.say(
        "%s, %s: %.0f µs of CPU a message, ack p99 %.1f ms, latest %.0f ms, %.0f MB",
        NAME, kind.shown(), micros, result.millis(0.99), result.millis(1), residentMegabytes);
  }
}
