package sessiontree.store.local;

import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;
import sessiontree.sort.MergeIterator;
import sessiontree.sort.SessionBuffer;

/**
 * A session's stored state at one moment, from which its tree is written. Must be released.
 *
 * @param end null if the session is open
 */
record SessionSnapshot(
    LocalSession session,
    Batch.Bound start,
    End end,
    long children,
    List<Region> regions,
    SessionBuffer buffers) {

  /** Returns how many entries the session has: its children, start and end. */
  long entries() {
    return children + (end == null ? 1 : 2);
  }

  /** Returns whether the tree is small enough to be kept in memory instead of a file. */
  boolean isSmall() {
    return regions.isEmpty() && buffers.bytes() <= TreeFacts.COUNTED_BYTES;
  }

  /** Returns the children in order. */
  Cursor sorted() throws IOException {
    List<Cursor> cursors = new ArrayList<>();
    if (!regions.isEmpty()) {
      cursors.add(Runs.read(regions));
    }
    cursors.add(buffers.sorted());
    return MergeIterator.of(cursors);
  }

  /** Writes the session's tree. */
  void write(OutputStream out) throws IOException {
    TreeWriter writer =
        new TreeWriter(
            out,
            buffers.count(),
            regions.isEmpty() ? buffers.bytes() : Long.MAX_VALUE >> 1,
            start,
            end == null ? null : end.bound(),
            end != null && end.abandoned());
    for (Cursor children = sorted(); children.next(); ) {
      if (session.isDeleted()) {
        throw new IOException("the session was deleted");
      }
      writer.child(children.array(), children.offset(), children.length());
    }
    writer.finish();
  }

  void release() throws IOException {
    SessionRuns.release(regions);
  }
}
