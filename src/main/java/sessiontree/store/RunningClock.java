package sessiontree.store;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Counts the time in which the process runs. Between two readings at most five seconds are counted:
 * if more went by, the process was stopped, or its machine was suspended, and could hear of
 * nothing. So somebody must read it every few seconds. Safe for several threads.
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

  /** Milliseconds since the clock was made. */
  public synchronized long millis() {
    long now = nanoTime.getAsLong();
    nanos += Math.min(now - readNanos, MAX_STEP_NANOS);
    readNanos = now;
    return TimeUnit.NANOSECONDS.toMillis(nanos);
  }
}
