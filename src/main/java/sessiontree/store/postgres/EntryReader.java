package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.List;

/**
 * Reads the rows of a session's entries in the order stored, about 1 MiB at a time. It needs no
 * transaction, as the rows never change; they can only be deleted. Not safe for several threads.
 */
final class EntryReader {
  private static final int ROWS = 500;
  private static final int BYTES = 1 << 20;
  private static final String SQL =
      """
      SELECT seq, before, count, children FROM (
        SELECT r.*, sum(length(children)) OVER (ORDER BY seq) - length(children) AS ahead FROM (
          SELECT * FROM sessiontree.entry
          WHERE born = ? AND seq > ? AND before + count > ? AND before < ? ORDER BY seq LIMIT ?) r) q
      WHERE ahead < ? ORDER BY seq
      """;

  /** A row of the table; {@code before} counts the children in earlier rows. */
  private record Stored(long seq, long before, int count, byte[] children) {}

  /**
   * The children of a row.
   *
   * @param skipped how many of them, from the first, were already read
   */
  record Chunk(int skipped, int count, byte[] children) {}

  private final Connections connections;
  private final long born;
  private final long total;
  private final ArrayDeque<Chunk> chunks = new ArrayDeque<>();
  private long seq = -1; // of the last row read
  private long read; // children

  /** Starts after {@code children} children, maybe inside a row; ends at {@code total}. */
  EntryReader(Connections connections, long born, long children, long total) {
    this.connections = connections;
    this.born = born;
    this.read = children;
    this.total = total;
  }

  /** Returns the children of the next row; null if there is none. */
  Chunk next() throws IOException {
    if (chunks.isEmpty() && read < total) {
      for (Stored row : connections.run(this::rows)) {
        if (row.before > read || (row.before < read && !chunks.isEmpty())) {
          break; // a row is missing
        }
        chunks.add(new Chunk((int) (read - row.before), row.count, row.children));
        seq = row.seq;
        read = row.before + row.count;
      }
      if (chunks.isEmpty()) {
        throw new IOException("the session's entries are not there any more");
      }
    }
    return chunks.poll();
  }

  private List<Stored> rows(Connection connection) throws SQLException {
    return Sql.query(
        connection,
        SQL,
        row -> new Stored(row.getLong(1), row.getLong(2), row.getInt(3), row.getBytes(4)),
        born,
        seq,
        read,
        total,
        ROWS,
        BYTES);
  }
}
