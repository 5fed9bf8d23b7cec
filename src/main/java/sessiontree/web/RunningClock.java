package sessiontree.web;

import java.util.function.LongSupplier;

/**
 * Time in which this process ran: a stretch in which it was suspended, or its machine was asleep,
 * counts for two seconds at most, so nobody has been silent or slow for that long. Safe for several
 * threads, and monotonic.
 */
final class RunningClock {
  private static final long MAX_STEP_NANOS = 2_000_000_000L;

  private final LongSupplier nanoTime;
  private volatile Tick last;

  private record Tick(long nanos, long systemNanos) {}

  RunningClock() {
    this(System::nanoTime);
  }

  /** A clock over another, such as {@link System#nanoTime}. */
  RunningClock(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.last = new Tick(0, nanoTime.getAsLong());
  }

  /** To be called about once a second, by one thread. */
  void tick() {
    Tick before = last;
    long systemNanos = nanoTime.getAsLong();
    last = new Tick(nanos(before, systemNanos), systemNanos);
  }

  long nanos() {
    return nanos(last, nanoTime.getAsLong());
  }

  private static long nanos(Tick tick, long systemNanos) {
    return tick.nanos + Math.min(systemNanos - tick.systemNanos, MAX_STEP_NANOS);
  }
}
