package sessiontree.store;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Counts the time in which the process runs. Between two readings at most five seconds are counted:
 * if more went by, the process was stopped, or its machine was suspended, and could hear of
 * nothing; so nobody has been silent or slow for that long. Somebody must read the clock every few
 * seconds. Safe for several threads, and monotonic.
 */
public final class RunningClock {
  private static final long MAX_STEP_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final LongSupplier nanoTime;

  // Guarded by this.
  private long readNanos;
  private long nanos;

  /** A clock at 0. */
  public RunningClock(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.readNanos = nanoTime.getAsLong();
  }

  /** Nanoseconds since the clock was made. */
  public synchronized long nanos() {
    long now = nanoTime.getAsLong();
    nanos += Math.min(now - readNanos, MAX_STEP_NANOS);
    readNanos = now;
    return nanos;
  }

  /** Milliseconds since the clock was made. */
  public long millis() {
    return TimeUnit.NANOSECONDS.toMillis(nanos());
  }
}
