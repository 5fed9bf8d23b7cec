package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Trees that one statement publishes: it completes their sessions, inserts their parts, and deletes
 * their entries. Not safe for several threads.
 */
final class Publication {
  private static final String SQL =
      """
      WITH u AS (SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS u(id, born, bytes)),
      done AS (
        UPDATE sessiontree.session s SET phase = 3, tree_bytes = u.bytes,
          completed_running = (SELECT running FROM sessiontree.clock)
        FROM u WHERE s.id = u.id AND s.born = u.born AND s.phase = 2 RETURNING s.born),
      t AS (
        INSERT INTO sessiontree.tree (born, part, bytes)
        SELECT p.born, p.part, p.bytes FROM unnest(?::bigint[], ?::int[], ?::bytea[]) AS p(born, part, bytes)
        JOIN done USING (born) ON CONFLICT DO NOTHING),
      e AS (DELETE FROM sessiontree.entry e USING done WHERE e.born = done.born)
      SELECT born FROM done
      """;

  private final List<String> ids = new ArrayList<>();
  private final List<Long> borns = new ArrayList<>();
  private final List<Long> bytes = new ArrayList<>();
  private final List<Long> partBorns = new ArrayList<>();
  private final List<Integer> partNumbers = new ArrayList<>();
  private final List<byte[]> parts = new ArrayList<>();

  void add(Finisher.Ended ended, byte[] tree) {
    ids.add(ended.id());
    borns.add(ended.born());
    bytes.add((long) tree.length);
    for (int at = 0, part = 0; at < tree.length; at += Trees.PART_BYTES, part++) {
      partBorns.add(ended.born());
      partNumbers.add(part);
      parts.add(Arrays.copyOfRange(tree, at, Math.min(tree.length, at + Trees.PART_BYTES)));
    }
  }

  /** Publishes the trees. Returns the {@code born} of each session that this completed. */
  Set<Long> publish(Connection connection) throws SQLException {
    Set<Long> done = new HashSet<>();
    if (ids.isEmpty()) {
      return done;
    }
    try (PreparedStatement statement = connection.prepareStatement(SQL)) {
      statement.setArray(1, connection.createArrayOf("text", ids.toArray(new String[0])));
      statement.setArray(2, connection.createArrayOf("int8", borns.toArray(new Long[0])));
      statement.setArray(3, connection.createArrayOf("int8", bytes.toArray(new Long[0])));
      statement.setArray(4, connection.createArrayOf("int8", partBorns.toArray(new Long[0])));
      statement.setArray(5, connection.createArrayOf("int4", partNumbers.toArray(new Integer[0])));
      statement.setArray(6, connection.createArrayOf("bytea", parts.toArray(new byte[0][])));
      try (ResultSet row = statement.executeQuery()) {
        AppendStatement.check(statement);
        while (row.next()) {
          done.add(row.getLong(1));
        }
      }
    }
    return done;
  }
}
