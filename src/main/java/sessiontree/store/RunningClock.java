package sessiontree.store;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * A monotonic clock that counts the time during which the process runs. It counts at most five
 * seconds between two readings: if more passed, the process was stopped or its machine suspended,
 * and could receive nothing, so nobody counts as silent or slow for that long. The clock must be
 * read every few seconds. Safe for several threads.
 */
public final class RunningClock {
  private static final long MAX_STEP_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final LongSupplier nanoTime;

  // Guarded by this.
  private long readNanos;
  private long nanos;

  /** Creates a clock at 0. */
  public RunningClock(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.readNanos = nanoTime.getAsLong();
  }

  /** Returns the nanoseconds counted since the clock was made. */
  public synchronized long nanos() {
    long now = nanoTime.getAsLong();
    nanos += Math.min(now - readNanos, MAX_STEP_NANOS);
    readNanos = now;
    return nanos;
  }

  /** Returns the milliseconds counted since the clock was made. */
  public long millis() {
    return TimeUnit.NANOSECONDS.toMillis(nanos());
  }
}
