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
 * What a tree is made of: what is stored of a session at one moment. To be released.
 *
 * @param end null of an open session
 */
record SessionSnapshot(
    LocalSession session,
    Batch.Bound start,
    End end,
    long entries,
    List<Region> regions,
    SessionBuffer buffers) {

  /** How many children it has. */
  long children() {
    return entries - 1 - (end == null ? 0 : 1);
  }

  /** Whether its tree is short, so that it need not be a file. */
  boolean isSmall() {
    return regions.isEmpty() && buffers.bytes() <= TreeFacts.COUNTED_BYTES;
  }

  /** Its children in order. */
  Cursor sorted() throws IOException {
    List<Cursor> cursors = new ArrayList<>();
    if (!regions.isEmpty()) {
      cursors.add(Runs.read(regions));
    }
    cursors.add(buffers.sorted());
    return MergeIterator.of(cursors);
  }

  /** Writes its tree. */
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
