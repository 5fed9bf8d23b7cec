package sessiontree.web;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Bounds the bytes that all streams together have received, and that are not answered. At the bound
 * nobody is read from, but one that is in the midst of a message: or those that are would wait for
 * each other. So memory is bounded by the limit, one message, and what is read at a time from each.
 *
 * <p>Safe for several threads. It calls no connection while it holds its lock.
 */
final class Inflow {
  /** How long the one that is read from at the bound may take for its message. */
  private static final long PATIENCE_NANOS = 10_000_000_000L;

  private final long limit;

  // All guarded by this.
  private long held;
  private final Set<StreamConnection> waiting = new LinkedHashSet<>();
  private StreamConnection exempt;
  private long exemptNanos;

  Inflow(long limit) {
    this.limit = limit;
  }

  synchronized long held() {
    return held;
  }

  synchronized void add(long bytes) {
    held += bytes;
  }

  /** Whoever waits is asked to demand again, when there is room. */
  void subtract(long bytes) {
    List<StreamConnection> woken;
    synchronized (this) {
      held -= bytes;
      if (held >= limit) {
        return;
      }
      exempt = null;
      if (waiting.isEmpty()) {
        return;
      }
      woken = new ArrayList<>(waiting);
      waiting.clear();
    }
    woken.forEach(StreamConnection::demand);
  }

  /** Adds them if there is room for them. */
  synchronized boolean tryAdd(long bytes) {
    if (held > 0 && held + bytes > limit) {
      return false;
    }
    held += bytes;
    return true;
  }

  /**
   * Whether the connection may be read from now. If not, its {@link StreamConnection#demand} is
   * called when it may.
   *
   * @param amidst whether it is in the midst of a message
   */
  synchronized boolean mayRead(StreamConnection connection, boolean amidst) {
    if (held < limit || exempt == connection) {
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
    List<StreamConnection> woken;
    synchronized (this) {
      if (exempt != connection) {
        return;
      }
      exempt = null;
      woken = new ArrayList<>(waiting);
      waiting.clear();
    }
    woken.forEach(StreamConnection::demand);
  }

  synchronized void forget(StreamConnection connection) {
    waiting.remove(connection);
  }

  /** The connection that holds up all others, if it has done so for too long. */
  synchronized StreamConnection tooSlow(long nowNanos) {
    return exempt != null && nowNanos - exemptNanos > PATIENCE_NANOS ? exempt : null;
  }
}
