package sessiontree.web;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import sessiontree.metrics.Metrics;
import sessiontree.store.RunningClock;

/**
 * Bounds what is in memory of all trees, and other large answers, that are being sent: each part,
 * from when it is to be read until its client has taken it. Beyond the bound parts wait, and go in
 * the order in which they came. A client that keeps one for too long while others wait is cut off,
 * or clients that do not read would keep all others from reading.
 *
 * <p>Safe for several threads. It calls no sender while it holds its lock.
 */
final class Outflow {
  /** Who sends something, one part after another. */
  interface Sender {
    /** There is room now for the part that had to wait. */
    void admit();

    /** Cuts its client off. */
    void drop();
  }

  /** How long a client may take for a part while others wait. */
  private static final long PATIENCE_NANOS = 10_000_000_000L;

  private final long limit;
  private final RunningClock time;
  private final CounterDataPoint slow;

  // All guarded by this, in the order in which they came.
  private final Map<Sender, Part> sending = new LinkedHashMap<>();
  private final Map<Sender, Long> waiting = new LinkedHashMap<>();
  private long held;

  private record Part(long bytes, long sinceNanos) {}

  /**
   * The bound of a server.
   *
   * @param limit bytes; a part that is larger comes alone
   */
  Outflow(long limit, RunningClock time, Metrics metrics) {
    this.limit = limit;
    this.time = time;
    this.slow = metrics.connectionsDropped.labelValues("slow_reader");
    metrics.gauge(
        "outflow_bytes", "Bytes of answers in memory, room for this one included.", this::held);
    metrics.gauge(
        "outflow_limit_bytes",
        "Bytes of responses that may be in memory until clients have taken them.",
        () -> limit);
  }

  private synchronized long held() {
    return held;
  }

  synchronized boolean isHalfFull() {
    return held > limit / 2;
  }

  /**
   * Whether the sender may have its next part in memory now, until it {@link #leave leaves}. If
   * not, it is admitted when it may.
   *
   * @param bytes that the part takes until it is written
   */
  synchronized boolean enter(Sender sender, long bytes) {
    if (sending.containsKey(sender) || tryEnter(sender, bytes)) { // it may have been admitted
      return true;
    }
    waiting.put(sender, bytes);
    return false;
  }

  /** The same, but a sender that may not is not admitted later. */
  synchronized boolean tryEnter(Sender sender, long bytes) {
    if (!waiting.isEmpty() || !isRoomFor(bytes)) {
      return false;
    }
    begin(sender, bytes);
    return true;
  }

  /** Guarded by this. */
  private boolean isRoomFor(long bytes) {
    return held == 0 || held + bytes <= limit;
  }

  /** Guarded by this. */
  private void begin(Sender sender, long bytes) {
    sending.put(sender, new Part(bytes, time.nanos()));
    held += bytes;
  }

  /**
   * Another sender, or the same one, has a part of that many bytes now, in place of what the first
   * had, if anything.
   */
  void handOver(Sender from, Sender to, long bytes) {
    List<Sender> admitted;
    synchronized (this) {
      end(from);
      begin(to, bytes);
      admitted = beginNext();
    }
    admitted.forEach(Sender::admit);
  }

  /** The sender's part is written, or will never be. Nothing, if it has none. */
  void leave(Sender sender) {
    List<Sender> admitted;
    synchronized (this) {
      end(sender);
      admitted = beginNext();
    }
    admitted.forEach(Sender::admit);
  }

  /** Guarded by this. */
  private void end(Sender sender) {
    Part part = sending.remove(sender);
    held -= part == null ? 0 : part.bytes();
  }

  /** Those that have waited longest, as far as there is room. Guarded by this. */
  private List<Sender> beginNext() {
    if (waiting.isEmpty()) {
      return List.of();
    }
    List<Sender> admitted = new ArrayList<>();
    Iterator<Map.Entry<Sender, Long>> each = waiting.entrySet().iterator();
    while (each.hasNext()) {
      Map.Entry<Sender, Long> next = each.next();
      if (!isRoomFor(next.getValue())) {
        break;
      }
      begin(next.getKey(), next.getValue());
      admitted.add(next.getKey());
      each.remove();
    }
    return admitted;
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    List<Sender> tooSlow = new ArrayList<>();
    synchronized (this) {
      if (!waiting.isEmpty()) {
        sending.forEach(
            (sender, part) -> {
              if (nowNanos - part.sinceNanos() > PATIENCE_NANOS) {
                tooSlow.add(sender);
              }
            });
      }
    }
    slow.inc(tooSlow.size());
    tooSlow.forEach(Sender::drop);
  }
}
