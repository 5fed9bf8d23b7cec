package sessiontree.web;

import java.util.ArrayDeque;
import java.util.Deque;
import sessiontree.event.Batch;
import sessiontree.event.Children;

/**
 * Batches that are stored in a session and not yet sent to one watcher, in the order stored. The
 * queue is bounded, and so are the queues of all watchers together. Safe for several threads.
 */
final class WatchQueue {
  private static final int MAX_BYTES = 1 << 20;

  /** A stored batch, and the number of children that the session had before it. */
  private record Stored(long before, Batch batch) {}

  private final Live live;

  // All guarded by this.
  private final Deque<Stored> queue = new ArrayDeque<>(0);
  private int offset; // offset of the next child in the first batch
  private long moved; // number of children already moved from that batch
  private Batch held; // moved last, and perhaps still being sent; null if none
  private long bytes; // in the queue
  private boolean closed;

  WatchQueue(Live live) {
    this.live = live;
  }

  /** Adds a batch. Returns false if the watcher is too slow for it, and must be cut off. */
  synchronized boolean add(long before, Batch batch) {
    if (closed) {
      return true;
    }
    int added = batch.children().length;
    boolean slow = !queue.isEmpty() && bytes + added > MAX_BYTES;
    live.hold(batch);
    queue.add(new Stored(before, batch));
    bytes += added;
    return !slow;
  }

  /**
   * Moves the next child to {@code events}, unless it was sent before.
   *
   * @param sent number of children sent so far
   * @return that number afterwards; -1 if the queue is empty
   */
  synchronized long move(long sent, ChildEvents events) {
    releaseHeld();
    Stored first = queue.peek();
    if (first == null) {
      return -1;
    }
    byte[] array = first.batch.children();
    int length = Children.length(array, offset);
    moved++;
    boolean isNew = first.before + moved > sent;
    if (isNew) {
      events.child(array, offset + Children.HEADER_BYTES, length, sent + 1);
    }
    offset += Children.HEADER_BYTES + length;
    if (moved == first.batch.count()) {
      queue.remove();
      bytes -= array.length;
      held = first.batch;
      offset = 0;
      moved = 0;
    }
    return isNew ? sent + 1 : sent;
  }

  /** Returns whether no batch is held, queued or being sent. */
  synchronized boolean isEmpty() {
    return held == null && queue.isEmpty();
  }

  private void releaseHeld() {
    if (held != null) {
      live.release(held);
      held = null;
    }
  }

  synchronized void clear() {
    releaseHeld();
    queue.forEach(one -> live.release(one.batch));
    bytes = 0;
    queue.clear();
    offset = 0;
    moved = 0;
  }

  /** Empties the queue, which ignores batches from then on. */
  synchronized void close() {
    closed = true;
    clear();
  }
}
