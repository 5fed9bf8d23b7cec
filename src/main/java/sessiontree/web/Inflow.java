package sessiontree.web;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Bounds the bytes that all streams together have received, and that are not answered. At the bound
 * nobody is read from, but one that is in the midst of a message: or those that are would wait for
 * each other. When there is room, who waits is read from one after another, in the order in which
 * they came. So what is held exceeds the limit by messages that had begun, and by what the threads
 * that read have in hand.
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
  /** Whether each is in the midst of a message, in the order in which they came. */
  private final Map<StreamConnection, Boolean> waiting = new LinkedHashMap<>();

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

  /** Who waits is admitted, when there is room. */
  void subtract(long bytes) {
    if (held.addAndGet(-bytes) < limit) {
      admitNext();
    }
  }

  /** Admits who has waited longest, if there is room. To be called after each reading. */
  void admitNext() {
    if (crowded) {
      StreamConnection next;
      do {
        next = next();
      } while (next != null && !next.admit());
    }
  }

  private synchronized StreamConnection next() {
    boolean room = held.get() < limit;
    if (room) {
      exempt = null;
    }
    StreamConnection next = null;
    Iterator<Map.Entry<StreamConnection, Boolean>> each = waiting.entrySet().iterator();
    while (next == null && exempt == null && each.hasNext()) {
      Map.Entry<StreamConnection, Boolean> one = each.next();
      if (room || one.getValue()) {
        next = one.getKey();
        each.remove();
      }
    }
    if (next != null && !room) {
      exempt(next);
    }
    crowded = exempt != null || !waiting.isEmpty();
    return next;
  }

  /** Guarded by this. */
  private void exempt(StreamConnection connection) {
    exempt = connection;
    exemptNanos = System.nanoTime();
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
   * Whether the connection may be read from now. If not, its {@link StreamConnection#admit} is
   * called when it may. Who waits already comes first.
   *
   * @param amidst whether it is in the midst of a message
   */
  boolean mayRead(StreamConnection connection, boolean amidst) {
    return (held.get() < limit && !crowded) || mayReadAtTheBound(connection, amidst);
  }

  private synchronized boolean mayReadAtTheBound(StreamConnection connection, boolean amidst) {
    if (exempt == connection) {
      return true;
    }
    crowded = true; // before the bound is looked at again: who gives room later sees it
    boolean room = held.get() < limit;
    if (room && waiting.isEmpty()) {
      exempt = null;
      crowded = false;
      return true;
    }
    if (!room && exempt == null && amidst) {
      exempt(connection);
      return true;
    }
    waiting.put(connection, amidst);
    return false;
  }

  /** The message that the connection was in the midst of is whole, or will never be. */
  void settled(StreamConnection connection) {
    synchronized (this) {
      if (exempt != connection) {
        return;
      }
      exempt = null;
    }
    admitNext();
  }

  synchronized void forget(StreamConnection connection) {
    waiting.remove(connection);
  }

  /** The connection that holds up all others, if it has done so for too long. */
  synchronized StreamConnection tooSlow(long nowNanos) {
    return exempt != null && nowNanos - exemptNanos > PATIENCE_NANOS ? exempt : null;
  }
}
