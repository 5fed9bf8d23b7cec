package sessiontree.store.local;

import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.sort.SessionBuffer;

/**
 * A session's youngest children, which are in memory: in buffers that are being spilled, and in one
 * that grows. Guarded by the session.
 */
final class SessionMemory {
  private List<SessionBuffer> spilling = List.of(); // oldest first; the list does not change
  private SessionBuffer growing; // null while it is empty

  /** Returns the bytes of memory that the children take. */
  long bytes() {
    long bytes = growing == null ? 0 : growing.allocated();
    for (SessionBuffer one : spilling) {
      bytes += one.allocated();
    }
    return bytes;
  }

  void add(byte[] children, int count) {
    if (growing == null) {
      growing = new SessionBuffer();
    }
    growing.add(children, count);
  }

  /** Returns all children, to be spilled: their buffers do not change any more. */
  List<SessionBuffer> beginSpill() {
    spilling = buffers();
    growing = null;
    return spilling;
  }

  /** Forgets what was spilled. */
  void endSpill() {
    spilling = List.of();
  }

  /** Forgets all children. */
  void clear() {
    spilling = List.of();
    growing = null;
  }

  /** Returns the children that are there now. */
  SessionBuffer snapshot() {
    return SessionBuffer.snapshot(buffers());
  }

  /** Returns the greatest timestamp of the children and {@code than}. Reads all children. */
  Batch.Bound latest(Batch.Bound than) {
    Batch.Bound latest = than;
    for (SessionBuffer one : buffers()) {
      latest = one.latest(latest);
    }
    return latest;
  }

  private List<SessionBuffer> buffers() {
    if (growing == null) {
      return spilling;
    }
    List<SessionBuffer> all = new ArrayList<>(spilling);
    all.add(growing);
    return all;
  }
}
