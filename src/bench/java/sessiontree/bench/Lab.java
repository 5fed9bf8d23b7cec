package sessiontree.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/**
 * How workloads are measured: warm-up, runs, and CPU time until a server is quiet again.
 *
 * @param shape what events look like
 * @param warmSeconds warm-up of each server of a workload
 * @param minCpuSeconds CPU time of the server until which a run repeats its load, because CPU time
 *     comes in steps of 10 ms
 * @param scale factor for counts and times, for a quick try
 * @param seconds how long the connections workload sends
 * @param storedSessions the larger number of stored sessions in the growth workload
 * @param sessionEvents number of events in the largest session of the growth workload
 */
record Lab(
    Servers servers,
    Table table,
    Frames.Shape shape,
    int runs,
    double warmSeconds,
    double minCpuSeconds,
    double scale,
    int seconds,
    int storedSessions,
    int sessionEvents) {
  private static final long LONGEST_RUN_NANOS = TimeUnit.SECONDS.toNanos(60);

  /** A workload of the table. */
  interface Workload {
    void measure(Lab lab) throws IOException;
  }

  /** An action on a server, repeated with other session ids each time. */
  interface Action {
    void run(Target target, String prefix) throws IOException;
  }

  /**
   * Result of a run of a load, measured until the server was quiet.
   *
   * @param times how often the load was repeated
   * @param latencies nanoseconds until the ack of each message, sorted; empty unless awaited
   * @param completions nanoseconds from SESSION_END to COMPLETE of each session, sorted
   */
  record Run(
      int times,
      double seconds,
      double cpuSeconds,
      double clientSeconds,
      long[] latencies,
      long[] completions) {}

  /** Returns a quantile of sorted nanoseconds, in microseconds. */
  static double micros(long[] sorted, double quantile) {
    return sorted[(int) (quantile * (sorted.length - 1))] / 1e3;
  }

  /** Returns a count or time of a workload, scaled for a quick try. */
  int scaled(int count) {
    return (int) Math.max(1, Math.round(count * scale));
  }

  /** Servers that run at the same time, so that they can be measured in turn. */
  static final class Up implements AutoCloseable {
    final Map<Servers.Kind, Target> targets = new LinkedHashMap<>();

    @Override
    public void close() {
      targets.values().forEach(Target::close);
    }
  }

  Up start(Servers.Kind... kinds) throws IOException {
    Up up = new Up();
    try {
      for (Servers.Kind kind : kinds) {
        up.targets.put(kind, servers.start(kind));
      }
      return up;
    } catch (IOException e) {
      up.close();
      throw e;
    }
  }

  /**
   * Repeats an action until the warm-up time has passed and the server has used as much CPU time,
   * which takes longer on a busy machine; at most for four times as long. Returns how often.
   */
  int warm(Target target, Action action) throws IOException {
    long began = System.nanoTime();
    double cpuBefore = target.cpuSeconds();
    double seconds;
    int times = 0;
    do {
      action.run(target, "w" + times++ + "-");
      seconds = (System.nanoTime() - began) / 1e9;
    } while (seconds < warmSeconds
        || (seconds < 4 * warmSeconds && target.cpuSeconds() - cpuBefore < warmSeconds));
    target.awaitQuiet();
    return times;
  }

  /** Repeats a load until the server has used enough CPU time to be measured. */
  Run run(Target target, Load load, String prefix) throws IOException {
    double cpuBefore = target.cpuSeconds();
    double ownBefore = ownCpuSeconds();
    long nanos = 0;
    int times = 0;
    LongStream latencies = LongStream.empty();
    LongStream completions = LongStream.empty();
    do {
      Load.Result result = load.run(target.port(), prefix + times++ + "-");
      nanos += result.nanos();
      latencies = LongStream.concat(latencies, LongStream.of(result.latencies()));
      completions = LongStream.concat(completions, LongStream.of(result.completions()));
    } while (target.cpuSeconds() - cpuBefore < minCpuSeconds && nanos < LONGEST_RUN_NANOS);
    double own = ownCpuSeconds() - ownBefore;
    target.awaitQuiet();
    double cpu = Math.max(0.01, target.cpuSeconds() - cpuBefore);
    return new Run(
        times, nanos / 1e9, cpu, own, latencies.sorted().toArray(), completions.sorted().toArray());
  }

  private static double ownCpuSeconds() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime()
        / 1e9;
  }

  /** Prints progress to standard error. */
  static void say(String format, Object... values) {
    System.err.printf(Locale.ROOT, format + "%n", values);
  }
}
