package sessiontree.web;

import java.util.ArrayDeque;
import java.util.Deque;
import sessiontree.event.Batch;
import sessiontree.event.Children;

/**
 * Batches that were stored in a session, and not sent to one who watches it: in the order stored,
 * within a bound of its own and one for all watchers. Safe for several threads.
 */
final class WatchQueue {
  private static final int MAX_BYTES = 1 << 20;

  /** A batch that is stored, and how many children the session had before. */
  private record Stored(long before, Batch batch) {}

  private final Live live;

  // All guarded by this.
  private final Deque<Stored> queue = new ArrayDeque<>(0);
  private int offset; // of the next child in the first batch
  private long index; // and its number among the batch's
  private long bytes;
  private boolean closed;

  WatchQueue(Live live) {
    this.live = live;
  }

  /** Adds a batch; false if the watcher is too slow for it. */
  synchronized boolean add(long before, Batch batch) {
    if (closed) {
      return true;
    }
    int added = batch.children().length;
    boolean slow = !queue.isEmpty() && bytes + added > MAX_BYTES;
    slow |= !live.count(added) && !queue.isEmpty();
    queue.add(new Stored(before, batch));
    bytes += added;
    return !slow;
  }

  /**
   * Moves the next child to events, unless it was sent before.
   *
   * @param sent how many children were sent
   * @return how many are with that one; -1 if there is none
   */
  synchronized long move(long sent, ChildEvents events) {
    Stored first = queue.peek();
    if (first == null) {
      return -1;
    }
    byte[] array = first.batch.children();
    int length = Children.length(array, offset);
    index++;
    boolean isNew = first.before + index > sent;
    if (isNew) {
      events.child(array, offset + Children.HEADER_BYTES, length, sent + 1);
    }
    offset += Children.HEADER_BYTES + length;
    if (index == first.batch.count()) {
      queue.remove();
      bytes -= array.length;
      live.count(-array.length);
      offset = 0;
      index = 0;
    }
    return isNew ? sent + 1 : sent;
  }

  synchronized void clear() {
    live.count(-bytes);
    bytes = 0;
    queue.clear();
    offset = 0;
    index = 0;
  }

  /** Takes nothing any more. */
  synchronized void close() {
    closed = true;
    clear();
  }
}
