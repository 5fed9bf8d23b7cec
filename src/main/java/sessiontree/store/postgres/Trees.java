package sessiontree.store.postgres;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import sessiontree.sort.ExternalSort;
import sessiontree.store.MemoryTree;
import sessiontree.store.PartialTree;
import sessiontree.store.Tree;

/** Reads the trees of complete sessions, part by part, and makes trees of open sessions. */
final class Trees {
  /** Size of each part of a tree except the last. */
  static final int PART_BYTES = 256 << 10;

  /** Maximum number of trees of open sessions that are made at a time, as each takes memory. */
  private static final int PARTIAL = 2;

  private final Semaphore making = new Semaphore(PARTIAL);
  private final Connections connections;
  private final Path folder;
  private final long memoryBytes;

  Trees(Connections connections, Path folder, long memoryBytes) {
    this.connections = connections;
    this.folder = folder;
    this.memoryBytes = memoryBytes;
  }

  /** Returns the tree of a complete session. One query reads its row and the first part. */
  Optional<Tree> tree(String id) throws IOException {
    return connections.read(
        connection -> {
          try (PreparedStatement query =
              connection.prepareStatement(
                  "SELECT s.born, s.tree_bytes, t.bytes FROM sessiontree.session s JOIN"
                      + " sessiontree.tree t ON t.born = s.born AND t.part = 0"
                      + " WHERE s.id = ? AND s.phase = 3")) {
            query.setString(1, id);
            try (ResultSet row = query.executeQuery()) {
              if (!row.next()) {
                return Optional.empty();
              }
              byte[] first = row.getBytes(3);
              String tag = Row.tag(row.getLong(1));
              return Optional.of(
                  first.length == row.getLong(2)
                      ? new MemoryTree(first, tag)
                      : new Parts(row.getLong(1), row.getLong(2), first));
            }
          }
        });
  }

  /** The row of a session that has no tree yet. */
  private record Facts(long born, long entries, long children, String start) {}

  /** Returns the tree so far of a session that is open or has ended, as of one moment. */
  Optional<PartialTree> partial(String id) throws IOException {
    for (long gone = 0; ; ) {
      Facts facts = connections.read(connection -> facts(connection, id));
      if (facts == null) {
        return Optional.empty();
      }
      try {
        return Optional.of(partial(facts));
      } catch (IOException e) { // the session may have become complete meanwhile
        if (gone == facts.born) {
          throw e;
        }
        gone = facts.born;
      }
    }
  }

  private static Facts facts(Connection connection, String id) throws SQLException {
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT born, entries, entries - phase, start_text FROM sessiontree.session"
                + " WHERE id = ? AND phase IN (1, 2)")) {
      query.setString(1, id);
      try (ResultSet row = query.executeQuery()) {
        return row.next()
            ? new Facts(row.getLong(1), row.getLong(2), row.getLong(3), row.getString(4))
            : null;
      }
    }
  }

  private PartialTree partial(Facts facts) throws IOException {
    making.acquireUninterruptibly();
    EntryReader entries = new EntryReader(connections, facts.born, 0, facts.children);
    try (ExternalSort sort = Entries.sort(entries, folder, memoryBytes);
        Spool spool = new Spool()) {
      Entries.write(sort, spool, facts.start, null, false);
      return new PartialTree(spool.tree(Row.tag(facts.born)), facts.entries, sort.count());
    } finally {
      making.release();
    }
  }

  /** A tree whose parts are read from the database. */
  private final class Parts implements Tree {
    private final long born;
    private final long bytes;
    private byte[] part;
    private int number;

    Parts(long born, long bytes, byte[] first) {
      this.born = born;
      this.bytes = bytes;
      this.part = first;
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
        if (wanted != number) {
          part = connections.read(connection -> part(connection, wanted));
          number = wanted;
        }
        int offset = (int) (at % PART_BYTES);
        int length = Math.min(target.remaining(), part.length - offset);
        target.put(part, offset, length);
        at += length;
      }
      return before - target.remaining();
    }

    private byte[] part(Connection connection, int wanted) throws SQLException, IOException {
      try (PreparedStatement query =
          connection.prepareStatement(
              "SELECT bytes FROM sessiontree.tree WHERE born = ? AND part = ?")) {
        query.setLong(1, born);
        query.setInt(2, wanted);
        try (ResultSet row = query.executeQuery()) {
          if (!row.next()) {
            throw new IOException("the tree was deleted while it was read");
          }
          return row.getBytes(1);
        }
      }
    }

    @Override
    public void close() {}
  }

  /** Collects a tree in memory, or in a temporary file if it is larger than a part. */
  private final class Spool extends OutputStream {
    private final ByteArrayOutputStream memory = new ByteArrayOutputStream();
    private FileChannel file; // null while the tree is in memory
    private boolean taken;

    @Override
    public void write(int one) throws IOException {
      write(new byte[] {(byte) one}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      if (file == null && memory.size() + length > PART_BYTES) {
        Path path = Files.createTempFile(folder, "sessiontree-", ".tree");
        file =
            FileChannel.open(
                path,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.DELETE_ON_CLOSE);
        writeAll(ByteBuffer.wrap(memory.toByteArray()));
      }
      if (file == null) {
        memory.write(bytes, offset, length);
      } else {
        writeAll(ByteBuffer.wrap(bytes, offset, length));
      }
    }

    private void writeAll(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        file.write(bytes);
      }
    }

    Tree tree(String tag) throws IOException {
      taken = true;
      return file == null ? new MemoryTree(memory.toByteArray(), tag) : new FileTree(file, tag);
    }

    @Override
    public void close() throws IOException {
      if (file != null && !taken) {
        file.close();
      }
    }
  }

  /** A tree in a temporary file, which is deleted on close. */
  private record FileTree(FileChannel file, String tag, long bytes) implements Tree {
    FileTree(FileChannel file, String tag) throws IOException {
      this(file, tag, file.size());
    }

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
