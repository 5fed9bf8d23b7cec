package sessiontree.web;

/**
 * Time in which this process ran: a stretch in which it was suspended, or its machine was asleep,
 * counts for two seconds at most, so nobody has been silent or slow for that long. Safe for several
 * threads, and monotonic.
 */
final class RunningClock {
  private static final long MAX_STEP_NANOS = 2_000_000_000L;

  private volatile Tick last = new Tick(0, System.nanoTime());

  private record Tick(long nanos, long systemNanos) {}

  /** To be called about once a second, by one thread. */
  void tick() {
    Tick before = last;
    long systemNanos = System.nanoTime();
    last = new Tick(nanos(before, systemNanos), systemNanos);
  }

  long nanos() {
    return nanos(last, System.nanoTime());
  }

  private static long nanos(Tick tick, long systemNanos) {
    return tick.nanos + Math.min(systemNanos - tick.systemNanos, MAX_STEP_NANOS);
  }
}
