package sessiontree.web;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import sessiontree.store.RunningClock;

/**
 * Bounds the in-flight bytes: those that all streams and bodies have received and that have no
 * result yet. At the bound, one reader that is mid-message is exempt and goes on reading, as
 * readers with partial messages would otherwise wait for each other; none is exempt if complete
 * messages alone reach the bound. When there is room, waiting readers are admitted one after
 * another, first come, first served. So the total is at most twice the limit, one message, and the
 * bytes that reading threads are handling.
 *
 * <p>Safe for several threads; takes no lock below the bound. Calls no reader while it is locked.
 */
final class InFlight {
  /** A stream or a body being read. */
  interface Reader {
    /** Resumes reading. Returns false if the reader is not waiting any more. */
    boolean admit();

    /** Cuts the client off, as its message takes too long. */
    void drop();
  }

  private static final long MESSAGE_NANOS = 60_000_000_000L;

  /** Time limit for a message while room is scarce, and for that of the exempt reader. */
  private static final long SCARCE_MESSAGE_NANOS = 10_000_000_000L;

  private final long limit;
  private final RunningClock time;
  private final AtomicLong totalBytes = new AtomicLong();
  private final AtomicLong messageBytes = new AtomicLong(); // of these, bytes of complete messages

  // All guarded by this. Waiting readers in the order in which they came, each with whether it is
  // mid-message.
  private final Map<Reader, Boolean> waiting = new LinkedHashMap<>();
  private Reader exempt;
  private long exemptNanos;

  /** Whether any reader is waiting or exempt. Written under this lock, read without it. */
  private volatile boolean contended;

  InFlight(long limit, RunningClock time) {
    this.limit = limit;
    this.time = time;
  }

  long bytes() {
    return totalBytes.get();
  }

  void add(long bytes) {
    totalBytes.addAndGet(bytes);
  }

  /**
   * Adds bytes that are needed briefly to decode a message, and are subtracted afterwards. Returns
   * false and adds none if the total would exceed 1.5 times the limit, unless it is at most twice
   * {@code bytes}.
   */
  boolean borrow(long bytes) {
    boolean lent = totalBytes.addAndGet(bytes) <= Math.max(limit + limit / 2, 2 * bytes);
    if (!lent) {
      subtract(bytes);
    }
    return lent;
  }

  /** Adds the bytes of a complete message. */
  void addMessage(long bytes) {
    messageBytes.addAndGet(bytes);
    totalBytes.addAndGet(bytes);
  }

  /** Subtracts the bytes of messages that have their results. */
  void subtractMessages(long bytes) {
    messageBytes.addAndGet(-bytes);
    totalBytes.addAndGet(-bytes);
    admitNext();
  }

  /** Subtracts bytes; admits a waiting reader if there is room. */
  void subtract(long bytes) {
    if (totalBytes.addAndGet(-bytes) < limit) {
      admitNext();
    }
  }

  /** Admits the reader that has waited longest, if there is room. Call it after each read. */
  void admitNext() {
    while (contended) {
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
    boolean room = totalBytes.get() < limit;
    if (room) {
      exempt = null;
    }
    Reader next = null;
    Iterator<Map.Entry<Reader, Boolean>> each = waiting.entrySet().iterator();
    while (next == null && exempt == null && each.hasNext()) {
      Map.Entry<Reader, Boolean> one = each.next();
      if (room || (one.getValue() && messageBytes.get() < limit)) {
        next = one.getKey();
        each.remove();
      }
    }
    if (next != null && !room) {
      exempt(next);
    }
    contended = exempt != null || !waiting.isEmpty();
    return next;
  }

  /** Guarded by this. */
  private void exempt(Reader reader) {
    exempt = reader;
    exemptNanos = time.nanos();
  }

  /**
   * Returns whether {@code reader} may read now. If not, its {@link Reader#admit} is called when it
   * may. Readers that are already waiting come first.
   */
  boolean mayRead(Reader reader, boolean midMessage) {
    return (totalBytes.get() < limit && !contended) || mayReadAtTheBound(reader, midMessage);
  }

  private synchronized boolean mayReadAtTheBound(Reader reader, boolean midMessage) {
    if (exempt == reader) {
      return true;
    }
    contended = true; // set before the total is read: a thread that frees bytes then sees it
    boolean room = totalBytes.get() < limit;
    if (room && waiting.isEmpty()) {
      exempt = null;
      contended = false;
      return true;
    }
    if (!room && exempt == null && midMessage && messageBytes.get() < limit) {
      exempt(reader);
      return true;
    }
    waiting.put(reader, midMessage);
    return false;
  }

  /** Ends the exemption of a reader whose partial message is complete, or never will be. */
  void endExemption(Reader reader) {
    if (release(reader)) {
      admitNext();
    }
  }

  /** Removes a reader that does not wait any more. */
  synchronized void forget(Reader reader) {
    waiting.remove(reader);
  }

  /** Returns whether room for in-flight bytes is scarce, so that partial messages get less time. */
  boolean isScarce() {
    return contended || totalBytes.get() > limit / 2;
  }

  /** Returns how long a partial message may take until it is complete. */
  long messageNanos() {
    return isScarce() ? SCARCE_MESSAGE_NANOS : MESSAGE_NANOS;
  }

  /** Called about once a second. Cuts off an exempt reader that holds up all others too long. */
  void tick(long nowNanos) {
    Reader tooSlow;
    synchronized (this) {
      tooSlow = exempt != null && nowNanos - exemptNanos > SCARCE_MESSAGE_NANOS ? exempt : null;
    }
    if (tooSlow != null) {
      tooSlow.drop();
    }
  }
}
