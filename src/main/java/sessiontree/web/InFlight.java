package sessiontree.web;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import sessiontree.store.RunningClock;

/**
 * Bounds the bytes that all streams and bodies together have received, and that have no result yet.
 * At the bound only one reader that is mid-message is read from, as all that are would wait for
 * each other; and not even that one where whole messages alone reach the bound. When there is room,
 * readers that wait are read from one after another, in the order in which they came. So what is
 * held is at most twice the limit, a message, and what the threads that read have in hand.
 *
 * <p>Safe for several threads; below the bound without a lock. It calls no reader while it holds
 * its lock.
 */
final class InFlight {
  /** A stream or a body that is read from. */
  interface Reader {
    /** Reads what is there, as it may now. False if it does not wait for that any more. */
    boolean admit();

    /** Cuts the stream off. */
    void drop(String reason);
  }

  /** How long the reader that is read from at the bound may take for its message. */
  private static final long EXEMPT_NANOS = 10_000_000_000L;

  private final long limit;
  private final RunningClock time;
  private final AtomicLong held = new AtomicLong();
  private final AtomicLong whole = new AtomicLong(); // bytes of messages, among those held

  // All guarded by this. The readers that wait, in the order in which they came, and whether each
  // is mid-message.
  private final Map<Reader, Boolean> waiting = new LinkedHashMap<>();
  private Reader exempt;
  private long exemptNanos;

  /** Whether a reader waits, or is exempt. Written while this is locked. */
  private volatile boolean crowded;

  InFlight(long limit, RunningClock time) {
    this.limit = limit;
    this.time = time;
  }

  long held() {
    return held.get();
  }

  void add(long bytes) {
    held.addAndGet(bytes);
  }

  /**
   * Adds bytes that are needed for a moment to decode what has come, and are subtracted then.
   * Returns false, and adds none, where that would be half as much again as the limit.
   */
  boolean borrow(long bytes) {
    boolean lent = held.addAndGet(bytes) <= Math.max(limit + limit / 2, 2 * bytes);
    if (!lent) {
      subtract(bytes);
    }
    return lent;
  }

  /** Adds a message that is whole. */
  void addMessage(long bytes) {
    whole.addAndGet(bytes);
    held.addAndGet(bytes);
  }

  /** Messages have their results. */
  void subtractMessages(long bytes) {
    whole.addAndGet(-bytes);
    held.addAndGet(-bytes);
    admitNext();
  }

  /** Frees bytes; a reader that waits is admitted when there is room. */
  void subtract(long bytes) {
    if (held.addAndGet(-bytes) < limit) {
      admitNext();
    }
  }

  /**
   * Admits the reader that has waited longest, if there is room. To be called after each reading.
   */
  void admitNext() {
    while (crowded) {
      Reader next = next();
      if (next == null || next.admit()) {
        return;
      }
      release(next);
    }
  }

  private synchronized boolean release(Reader reader) {
    boolean released = exempt == reader;
    exempt = released ? null : exempt;
    return released;
  }

  private synchronized Reader next() {
    boolean room = held.get() < limit;
    if (room) {
      exempt = null;
    }
    Reader next = null;
    Iterator<Map.Entry<Reader, Boolean>> each = waiting.entrySet().iterator();
    while (next == null && exempt == null && each.hasNext()) {
      Map.Entry<Reader, Boolean> one = each.next();
      if (room || (one.getValue() && whole.get() < limit)) {
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
  private void exempt(Reader reader) {
    exempt = reader;
    exemptNanos = time.nanos();
  }

  /**
   * Whether the reader may read now. If not, its {@link Reader#admit} is called when it may. Who
   * waits already comes first.
   *
   * @param midMessage whether the reader is mid-message
   */
  boolean mayRead(Reader reader, boolean midMessage) {
    return (held.get() < limit && !crowded) || mayReadAtTheBound(reader, midMessage);
  }

  private synchronized boolean mayReadAtTheBound(Reader reader, boolean midMessage) {
    if (exempt == reader) {
      return true;
    }
    crowded = true; // before the bound is looked at again: a thread that frees bytes later sees it
    boolean room = held.get() < limit;
    if (room && waiting.isEmpty()) {
      exempt = null;
      crowded = false;
      return true;
    }
    if (!room && exempt == null && midMessage && whole.get() < limit) {
      exempt(reader);
      return true;
    }
    waiting.put(reader, midMessage);
    return false;
  }

  /** The message that the reader was in the midst of is whole, or will never be. */
  void settled(Reader reader) {
    if (release(reader)) {
      admitNext();
    }
  }

  /** The reader does not wait any more. */
  synchronized void forget(Reader reader) {
    waiting.remove(reader);
  }

  /** Whether senders that are mid-message are to hurry. */
  boolean isShort() {
    return crowded || held.get() > limit / 2;
  }

  /** Called about once a second. Cuts off the reader that holds up all others for too long. */
  void tick(long nowNanos) {
    Reader tooSlow;
    synchronized (this) {
      tooSlow = exempt != null && nowNanos - exemptNanos > EXEMPT_NANOS ? exempt : null;
    }
    if (tooSlow != null) {
      tooSlow.drop("slow_message");
    }
  }
}
