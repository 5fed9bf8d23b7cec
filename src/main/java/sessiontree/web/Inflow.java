package sessiontree.web;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Bounds the bytes that all streams together have received, and that are not answered. At the bound
 * nobody is read from, but one that is in the midst of a message: or those that are would wait for
 * each other. So memory is bounded by the limit, one message, and what is read at a time from each.
 *
 * <p>Safe for several threads; below the bound without a lock. It calls no connection while it
 * holds its lock.
 */
final class Inflow {
  /** How long the one that is read from at the bound may take for its message. */
  private static final long PATIENCE_NANOS = 10_000_000_000L;

  private final long limit;
  private final AtomicLong held = new AtomicLong();

  // All guarded by this.
  private final Set<StreamConnection> waiting = new LinkedHashSet<>();
  private StreamConnection exempt;
  private long exemptNanos;

  /** Whether anybody waits, or is exempt. Written while this is locked. */
  private volatile boolean crowded;

  Inflow(long limit) {
    this.limit = limit;
  }

  long held() {
    return held.get();
  }

  void add(long bytes) {
    held.addAndGet(bytes);
  }

  /** Whoever waits is resumed, when there is room. */
  void subtract(long bytes) {
    if (held.addAndGet(-bytes) < limit && crowded) {
      wake();
    }
  }

  private void wake() {
    List<StreamConnection> woken;
    synchronized (this) {
      exempt = null;
      woken = new ArrayList<>(waiting);
      waiting.clear();
      crowded = false;
    }
    woken.forEach(StreamConnection::resume);
  }

  /** Adds them if there is room for them. */
  boolean tryAdd(long bytes) {
    long now;
    do {
      now = held.get();
      if (now > 0 && now + bytes > limit) {
        return false;
      }
    } while (!held.compareAndSet(now, now + bytes));
    return true;
  }

  /**
   * Whether the connection may be read from now. If not, its {@link StreamConnection#resume} is
   * called when it may.
   *
   * @param amidst whether it is in the midst of a message
   */
  boolean mayRead(StreamConnection connection, boolean amidst) {
    return held.get() < limit || mayReadAtTheBound(connection, amidst);
  }

  private synchronized boolean mayReadAtTheBound(StreamConnection connection, boolean amidst) {
    if (exempt == connection) {
      return true;
    }
    crowded = true; // before the bound is looked at again: who gives room later sees it
    if (held.get() < limit) {
      return true;
    }
    if (exempt == null && amidst) {
      exempt = connection;
      exemptNanos = System.nanoTime();
      return true;
    }
    waiting.add(connection);
    return false;
  }

  /** The connection is in the midst of no message any more. */
  void settled(StreamConnection connection) {
    synchronized (this) {
      if (exempt != connection) {
        return;
      }
    }
    wake();
  }

  synchronized void forget(StreamConnection connection) {
    waiting.remove(connection);
  }

  /** The connection that holds up all others, if it has done so for too long. */
  synchronized StreamConnection tooSlow(long nowNanos) {
    return exempt != null && nowNanos - exemptNanos > PATIENCE_NANOS ? exempt : null;
  }
}
