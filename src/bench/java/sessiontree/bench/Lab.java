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
 * @param warmSeconds of warm-up for each server of a workload
 * @param minCpuSeconds a run repeats its load until the server took so much, as CPU time comes in
 *     steps of 10 ms
 * @param scale by which counts and times are multiplied, for a quick try
 * @param seconds for which many connections send
 * @param storedSessions the many of the growth workload
 * @param sessionEvents the most of a session in it
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

  /** What is done to a server, again and again; under other ids each time. */
  interface Action {
    void run(Target target, String prefix) throws IOException;
  }

  /**
   * What a run of a load took, until the server was quiet.
   *
   * @param times how often the load was repeated
   * @param latencies of all messages, sorted; none unless they were awaited
   * @param completions of all sessions, sorted
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

  /** A count or time of a workload, made smaller for a quick try. */
  int scaled(int count) {
    return (int) Math.max(1, Math.round(count * scale));
  }

  /** Servers that are up at once, so that they can be measured in turn. */
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
   * Repeats an action for the time of the warm-up, and until the server has used so much CPU time,
   * which it may not get on a busy machine; for four times as long at most. Returns how often.
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

  /** Repeats a load until the server took enough CPU time to be measured. */
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

  /** Says what is being done. */
  static void say(String format, Object... values) {
    System.err.printf(Locale.ROOT, format + "%n", values);
  }
}
