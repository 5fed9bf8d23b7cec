package sessiontree.store.postgres;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import sessiontree.store.postgres.Group.Change;

/**
 * The statement that stores a group. It locks the lane's row, changes each session that is at the
 * expected sequence, and writes into the lane's row which changes were outdated. So whoever locks
 * the lane's row later knows the whole outcome, whatever became of the connection.
 */
final class AppendStatement implements AutoCloseable {
  private static final String SQL =
      """
      WITH gate AS MATERIALIZED (
        SELECT 1 FROM sessiontree.lane WHERE id = ? AND epoch = ? FOR UPDATE),
      u AS MATERIALIZED (
        SELECT u.*, clock_timestamp() AS now FROM gate, unnest(?::int[], ?::text[], ?::bigint[], ?::bigint[], ?::int[], ?::int[], ?::bigint[],
          ?::text[], ?::bigint[], ?::text[], ?::text[], ?::boolean[], ?::bigint[], ?::int[], ?::bytea[])
        AS u(kind, id, born, expected, appends, entries, start_key, start_text, latest_key, latest_text, end_text,
          abandoned, before, count, children)),
      changed AS (
        UPDATE sessiontree.session s SET seq = s.seq + u.appends, entries = s.entries + u.entries,
          bytes = s.bytes + length(u.children), latest_key = greatest(s.latest_key, u.latest_key),
          latest_text = CASE WHEN u.latest_key > s.latest_key THEN u.latest_text ELSE s.latest_text END,
          phase = CASE WHEN u.end_text IS NULL THEN 1 ELSE 2 END, end_text = u.end_text, abandoned = u.abandoned,
          appended = (SELECT running FROM sessiontree.clock),
          ended = CASE WHEN u.end_text IS NULL THEN NULL ELSE u.now END,
          claimed = CASE WHEN u.end_text IS NULL THEN NULL ELSE u.now END
        FROM u WHERE u.kind = 1 AND s.id = u.id AND s.born = u.born AND s.seq = u.expected AND s.phase = 1
        RETURNING s.born),
      begun AS (
        INSERT INTO sessiontree.session (id, born, phase, seq, entries, bytes, start_key, start_text, latest_key,
          latest_text, end_text, appended, begun, ended, claimed)
        SELECT id, born, CASE WHEN end_text IS NULL THEN 1 ELSE 2 END, appends, entries, length(children), start_key,
          start_text, latest_key, latest_text, end_text, (SELECT running FROM sessiontree.clock), now,
          CASE WHEN end_text IS NULL THEN NULL ELSE now END, CASE WHEN end_text IS NULL THEN NULL ELSE now END
        FROM u WHERE kind = 0 ON CONFLICT (id) DO NOTHING RETURNING born),
      gone AS (
        DELETE FROM sessiontree.session s USING u
        WHERE u.kind = 2 AND s.id = u.id AND s.born = u.born AND s.seq = u.expected RETURNING s.born),
      stored AS (SELECT born FROM changed UNION ALL SELECT born FROM begun UNION ALL SELECT born FROM gone),
      e AS (
        INSERT INTO sessiontree.entry (born, seq, before, count, children)
        SELECT u.born, u.expected, u.before, u.count, u.children FROM u JOIN stored USING (born) WHERE u.count > 0),
      w AS (
        INSERT INTO sessiontree.writer (born, name, number)
        SELECT v.born, v.name, v.number FROM unnest(?::bigint[], ?::text[], ?::bigint[]) AS v(born, name, number)
        JOIN stored USING (born) ON CONFLICT (born, name) DO UPDATE SET number = excluded.number),
      g AS (
        INSERT INTO sessiontree.garbage (born, kind, since) SELECT born, 2, clock_timestamp() FROM gone
        ON CONFLICT DO NOTHING)
      UPDATE sessiontree.lane SET done = ?, touched = clock_timestamp(),
        missed = (SELECT array_agg(u.born) FROM u WHERE NOT EXISTS (SELECT 1 FROM stored WHERE stored.born = u.born))
      WHERE id = ? AND epoch = ? AND EXISTS (SELECT 1 FROM gate) RETURNING missed
      """;

  private final Connection connection;
  private final PreparedStatement statement;
  private int parameter;

  AppendStatement(Connection connection) throws SQLException {
    this.connection = connection;
    this.statement = connection.prepareStatement(SQL);
  }

  /**
   * Stores a group.
   *
   * @return {@code born} of each change that was outdated; null if the lane's epoch is over, so
   *     nothing was stored
   * @throws SQLException also if it is not known whether the group is stored
   */
  Set<Long> store(String lane, long epoch, long number, List<Change> changes) throws SQLException {
    changes.sort(Comparator.comparing(change -> change.id)); // all servers lock rows in this order
    statement.clearParameters();
    statement.clearWarnings();
    parameter = 1;
    statement.setString(parameter++, lane);
    statement.setLong(parameter++, epoch);
    set("int4", changes.stream().map(c -> c.kind));
    set("text", changes.stream().map(c -> c.id));
    set("int8", changes.stream().map(c -> c.born));
    set("int8", changes.stream().map(c -> c.before.seq()));
    set("int4", changes.stream().map(c -> c.appends));
    set("int4", changes.stream().map(c -> c.entries));
    set("int8", changes.stream().map(c -> c.start == null ? 0L : c.start.key()));
    set("text", changes.stream().map(c -> c.start == null ? "" : c.start.text()));
    set("int8", changes.stream().map(c -> c.latest.key()));
    set("text", changes.stream().map(c -> c.latest.text()));
    set("text", changes.stream().map(c -> c.end == null ? null : c.end.text()));
    set("bool", changes.stream().map(c -> c.abandoned));
    set("int8", changes.stream().map(c -> Math.max(0, c.before.entries() - 1)));
    set("int4", changes.stream().map(c -> c.count));
    byte[][] children = new byte[changes.size()][];
    for (int i = 0; i < children.length; i++) {
      children[i] = changes.get(i).children();
    }
    statement.setArray(parameter++, connection.createArrayOf("bytea", children));
    setWriters(changes);
    statement.setLong(parameter++, number);
    statement.setString(parameter++, lane);
    statement.setLong(parameter++, epoch);
    try (ResultSet row = statement.executeQuery()) {
      Sql.check(statement.getWarnings());
      return row.next() ? borns(row.getArray(1)) : null;
    }
  }

  private void set(String type, Stream<?> values) throws SQLException {
    Object[] array =
        switch (type) {
          case "int4" -> values.toArray(Integer[]::new);
          case "int8" -> values.toArray(Long[]::new);
          case "bool" -> values.toArray(Boolean[]::new);
          default -> values.toArray(String[]::new);
        };
    statement.setArray(parameter++, connection.createArrayOf(type, array));
  }

  private void setWriters(List<Change> changes) throws SQLException {
    record Numbered(long born, String name, long number) {}
    List<Numbered> writers =
        changes.stream()
            .flatMap(
                change ->
                    change.writers.entrySet().stream()
                        .map(w -> new Numbered(change.born, w.getKey(), w.getValue())))
            .toList();
    set("int8", writers.stream().map(Numbered::born));
    set("text", writers.stream().map(Numbered::name));
    set("int8", writers.stream().map(Numbered::number));
  }

  /** Returns the numbers of an array; none if it is null. */
  static Set<Long> borns(Array array) throws SQLException {
    return array == null ? Set.of() : Set.of((Long[]) array.getArray());
  }

  @Override
  public void close() throws SQLException {
    statement.close();
  }

  /** Inserts the lane's row unless it exists. */
  static void register(Connection connection, String lane) throws SQLException {
    Sql.write(
        connection,
        "INSERT INTO sessiontree.lane (id, epoch, done, touched)"
            + " VALUES (?, 0, 0, clock_timestamp()) ON CONFLICT DO NOTHING",
        lane);
  }

  /**
   * The lane's row once nothing of an earlier epoch can be stored any more.
   *
   * @param done the number of the last group that was stored
   */
  record Fenced(long epoch, long done, Set<Long> missed) {}

  /**
   * Ends the epoch and returns the lane's row; null if the row is gone. It waits for a running
   * statement of that epoch, which holds the row, and its own commit waits for the standbys, so
   * what it returns cannot be lost.
   */
  static Fenced fence(Connection connection, String lane) throws SQLException {
    return Sql.first(
        Sql.write(
            connection,
            "UPDATE sessiontree.lane SET epoch = epoch + 1, touched = clock_timestamp()"
                + " WHERE id = ? RETURNING epoch, done, missed",
            row -> new Fenced(row.getLong(1), row.getLong(2), borns(row.getArray(3))),
            lane));
  }
}
