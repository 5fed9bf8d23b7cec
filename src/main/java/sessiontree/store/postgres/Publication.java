package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
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
    for (int at = 0, part = 0; at < tree.length; at += TreeRows.PART_BYTES, part++) {
      partBorns.add(ended.born());
      partNumbers.add(part);
      parts.add(Arrays.copyOfRange(tree, at, Math.min(tree.length, at + TreeRows.PART_BYTES)));
    }
  }

  /** Publishes the trees. Returns the {@code born} of each session that this completed. */
  Set<Long> publish(Connection connection) throws SQLException {
    if (ids.isEmpty()) {
      return Set.of();
    }
    return Set.copyOf(
        Sql.write(
            connection,
            SQL,
            row -> row.getLong(1),
            Sql.texts(ids),
            Sql.numbers(borns),
            Sql.numbers(bytes),
            Sql.numbers(partBorns),
            partNumbers.toArray(new Integer[0]),
            parts.toArray(new byte[0][])));
  }
}
