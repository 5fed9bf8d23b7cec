package sessiontree.store.postgres;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;
import sessiontree.sort.ExternalSort;

/** Reads the children of a session that is open or has ended, in the order stored or as a tree. */
final class Entries {
  private Entries() {}

  /**
   * Returns a cursor over the children stored after the first {@code children}; null if there are
   * fewer, or their rows are gone. The cursor reads the rows as it moves.
   */
  static Cursor since(Connections connections, String id, long born, long children) {
    try {
      Unfinished session =
          Sql.first(connections.run(connection -> Unfinished.read(connection, List.of(id))));
      return session == null || session.born() != born || children > session.children()
          ? null
          : new Since(new EntryReader(connections, born, children, session.children()));
    } catch (IOException e) { // the reader of the whole tree will see the failure
      return null;
    }
  }

  private static final class Since implements Cursor {
    private final EntryReader entries;
    private byte[] array = new byte[0];
    private int offset; // of the child's header
    private int next;

    Since(EntryReader entries) {
      this.entries = entries;
    }

    @Override
    public boolean next() throws IOException {
      if (next == array.length) {
        EntryReader.Chunk row = entries.next();
        if (row == null) {
          return false;
        }
        array = row.children();
        next = 0;
        for (int skipped = row.skipped(); skipped > 0; skipped--) {
          next += Children.HEADER_BYTES + Children.length(array, next);
        }
      }
      offset = next;
      next += Children.HEADER_BYTES + Children.length(array, offset);
      return true;
    }

    @Override
    public long key() {
      return Children.key(array, offset);
    }

    @Override
    public byte[] array() {
      return array;
    }

    @Override
    public int offset() {
      return offset + Children.HEADER_BYTES;
    }

    @Override
    public int length() {
      return next - offset - Children.HEADER_BYTES;
    }
  }

  /** Reads all children into a sort. */
  static ExternalSort sort(EntryReader entries, Path folder, long memoryBytes) throws IOException {
    ExternalSort sort = new ExternalSort(folder, memoryBytes);
    try {
      for (EntryReader.Chunk row; (row = entries.next()) != null; ) {
        sort.add(row.children(), row.count());
      }
      return sort;
    } catch (IOException | RuntimeException e) {
      sort.close();
      throw e;
    }
  }

  /** Writes a tree of the sorted children. */
  static void write(
      ExternalSort sort, OutputStream out, String start, String end, boolean abandoned)
      throws IOException {
    TreeWriter writer =
        new TreeWriter(
            out,
            sort.count(),
            sort.bytes(),
            new Batch.Bound(0, start),
            end == null ? null : new Batch.Bound(0, end),
            abandoned);
    for (Cursor child = sort.sorted(); child.next(); ) {
      writer.child(child.array(), child.offset(), child.length());
    }
    writer.finish();
  }
}
