package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayDeque;

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

  /**
   * A row of the table.
   *
   * @param skipped how many of its first children were already read
   */
  record Rows(int skipped, int count, byte[] children) {}

  private final Connections connections;
  private final long born;
  private final long total;
  private final ArrayDeque<Rows> rows = new ArrayDeque<>();
  private long seq = -1; // of the last row read
  private long read; // children

  /** Starts after {@code children} children, maybe inside a row; ends at {@code total}. */
  EntryReader(Connections connections, long born, long children, long total) {
    this.connections = connections;
    this.born = born;
    this.read = children;
    this.total = total;
  }

  /** Returns the next row; null if there is none. */
  Rows next() throws IOException {
    if (rows.isEmpty() && read < total) {
      long before = read;
      connections.read(this::readRows);
      if (read == before) {
        throw new IOException("the session's entries are not there any more");
      }
    }
    return rows.poll();
  }

  private boolean readRows(Connection connection) throws SQLException {
    rows.clear();
    long at = read;
    long last = seq;
    try (PreparedStatement query = connection.prepareStatement(SQL)) {
      query.setLong(1, born);
      query.setLong(2, seq);
      query.setLong(3, read);
      query.setLong(4, total);
      query.setInt(5, ROWS);
      query.setInt(6, BYTES);
      try (ResultSet row = query.executeQuery()) {
        while (row.next()) {
          long before = row.getLong(2);
          if (before > at || (before < at && !rows.isEmpty())) {
            break; // a row is missing
          }
          last = row.getLong(1);
          rows.add(new Rows((int) (at - before), row.getInt(3), row.getBytes(4)));
          at = before + row.getInt(3);
        }
      }
    }
    seq = last;
    read = at;
    return true;
  }
}
