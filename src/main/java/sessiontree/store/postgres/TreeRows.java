package sessiontree.store.postgres;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import sessiontree.sort.ExternalSort;
import sessiontree.store.MemoryTree;
import sessiontree.store.PartialTree;
import sessiontree.store.Tree;

/** Reads the trees of complete sessions, part by part, and makes trees of open sessions. */
final class TreeRows {
  /** Size of each part of a tree except the last. */
  static final int PART_BYTES = 256 << 10;

  /** Maximum number of trees of open sessions that are made at a time, as each takes memory. */
  private static final int PARTIAL = 2;

  /** Maximum size of a tree that is kept in memory for each of its readers. */
  private static final int SMALL_BYTES = 16 << 10;

  private final Semaphore making = new Semaphore(PARTIAL);

  /** Parts kept in memory at a time. Readers without one read just what they are asked for. */
  private final Semaphore kept;

  private final Connections connections;
  private final Path folder;
  private final long memoryBytes;

  TreeRows(Connections connections, Path folder, long memoryBytes) {
    this.connections = connections;
    this.folder = folder;
    this.memoryBytes = memoryBytes;
    this.kept = new Semaphore((int) Math.min(1_000, memoryBytes / PART_BYTES));
  }

  /** Returns the tree of a complete session. One query reads its row and the first part. */
  Optional<Tree> tree(String id) throws IOException {
    return connections
        .run(
            connection ->
                Sql.query(
                    connection,
                    "SELECT s.born, s.tree_bytes, t.bytes FROM sessiontree.session s JOIN"
                        + " sessiontree.tree t ON t.born = s.born AND t.part = 0"
                        + " WHERE s.id = ? AND s.phase = 3",
                    row -> new First(row.getLong(1), row.getLong(2), row.getBytes(3)),
                    id))
        .stream()
        .findFirst()
        .map(this::tree);
  }

  /** The first part of a tree of {@code bytes} bytes. */
  private record First(long born, long bytes, byte[] part) {}

  private Tree tree(First first) {
    return first.bytes <= SMALL_BYTES
        ? new MemoryTree(first.part, Row.tag(first.born))
        : new Parts(first.born, first.bytes, first.part);
  }

  /** Returns the tree so far of a session that is open or has ended, as of one moment. */
  Optional<PartialTree> partial(String id) throws IOException {
    for (long failedBorn = 0; ; ) {
      Unfinished session =
          Sql.first(connections.run(connection -> Unfinished.read(connection, List.of(id))));
      if (session == null) {
        return Optional.empty();
      }
      try {
        return Optional.of(partial(session));
      } catch (IOException e) { // the session may have become complete meanwhile
        if (failedBorn == session.born()) {
          throw e;
        }
        failedBorn = session.born();
      }
    }
  }

  private PartialTree partial(Unfinished session) throws IOException {
    making.acquireUninterruptibly();
    EntryReader entries = new EntryReader(connections, session.born(), 0, session.children());
    try (ExternalSort sort = Entries.sort(entries, folder, memoryBytes)) {
      return new PartialTree(write(sort, session), session.entries(), sort.count());
    } finally {
      making.release();
    }
  }

  /** Writes a tree into memory or, if it may not be small, into a temporary file. */
  private Tree write(ExternalSort sort, Unfinished session) throws IOException {
    String tag = Row.tag(session.born());
    if (sort.bytes() <= SMALL_BYTES / 2) { // a tree is less than twice as long as its children
      ByteArrayOutputStream tree = new ByteArrayOutputStream();
      Entries.write(sort, tree, session.start(), null, false);
      return new MemoryTree(tree.toByteArray(), tag);
    }
    FileChannel file =
        FileChannel.open(
            Files.createTempFile(folder, "sessiontree-", ".tree"),
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE);
    try {
      Entries.write(sort, Channels.newOutputStream(file), session.start(), null, false);
      return new FileTree(file, tag, file.size());
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** A tree whose parts are read from the database. */
  private final class Parts implements Tree {
    private final long born;
    private final long bytes;
    private final boolean keeps = kept.tryAcquire();
    private byte[] part; // the last part read, if this reader keeps it
    private int number;
    private boolean closed;

    Parts(long born, long bytes, byte[] first) {
      this.born = born;
      this.bytes = bytes;
      this.part = keeps ? first : null;
    }

    @Override
    public long bytes() {
      return bytes;
    }

    @Override
    public String tag() {
      return Row.tag(born);
    }

    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      int before = target.remaining();
      for (long at = position; target.hasRemaining() && at < bytes; ) {
        int wanted = (int) (at / PART_BYTES);
        int offset = (int) (at % PART_BYTES);
        int length = (int) Math.min(Math.min(target.remaining(), PART_BYTES - offset), bytes - at);
        if (keeps) {
          if (wanted != number) {
            part = bytes(wanted, 0, PART_BYTES);
            number = wanted;
          }
          target.put(part, offset, length);
        } else {
          target.put(bytes(wanted, offset, length), 0, length);
        }
        at += length;
      }
      return before - target.remaining();
    }

    private byte[] bytes(int wanted, int offset, int length) throws IOException {
      List<byte[]> rows =
          connections.run(
              connection ->
                  Sql.query(
                      connection,
                      "SELECT substring(bytes FROM ? FOR ?) FROM sessiontree.tree"
                          + " WHERE born = ? AND part = ?",
                      row -> row.getBytes(1),
                      offset + 1,
                      length,
                      born,
                      wanted));
      if (rows.isEmpty()) {
        throw new IOException("the tree was deleted while it was read");
      }
      return rows.get(0);
    }

    @Override
    public synchronized void close() {
      if (keeps && !closed) {
        kept.release();
      }
      closed = true;
    }
  }

  /** A tree in a temporary file, which is deleted on close. */
  private record FileTree(FileChannel file, String tag, long bytes) implements Tree {
    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      int read = 0;
      while (target.hasRemaining()) {
        int more = file.read(target, position + read);
        if (more < 0) {
          break;
        }
        read += more;
      }
      return read;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
