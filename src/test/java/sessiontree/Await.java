package sessiontree;

import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for what the server does by itself: polls up to a deadline. */
public final class Await {
  private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(120);
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private Await() {}

  /** Returns when {@code holds} is true; fails with {@code claim} after the deadline. */
  public static void until(String claim, Callable<Boolean> holds) throws Exception {
    long deadline = System.nanoTime() + DEADLINE_NANOS;
    while (!holds.call()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("timed out waiting until: " + claim);
      }
      LockSupport.parkNanos(PAUSE_NANOS);
    }
  }
}
