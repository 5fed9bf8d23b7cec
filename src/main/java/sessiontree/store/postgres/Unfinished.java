package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;

/**
 * The row of a session that has no tree yet, for whoever makes one.
 *
 * @param bytes of its children
 * @param end timestamp of its SESSION_END; null while it is open
 */
record Unfinished(
    String id, long born, long bytes, long entries, String start, String end, boolean abandoned) {
  /** Reads the rows of those sessions that exist and have no tree. */
  static List<Unfinished> read(Connection connection, Collection<String> ids) throws SQLException {
    return Sql.query(
        connection,
        "SELECT id, born, bytes, entries, start_text, end_text, abandoned FROM sessiontree.session"
            + " WHERE id = ANY (?) AND phase IN (1, 2)",
        row ->
            new Unfinished(
                row.getString(1),
                row.getLong(2),
                row.getLong(3),
                row.getLong(4),
                row.getString(5),
                row.getString(6),
                row.getBoolean(7)),
        Sql.texts(ids));
  }

  Finisher.Ended ended() {
    return new Finisher.Ended(id, born);
  }

  /** Returns the number of children: the entries but SESSION_START and SESSION_END. */
  long children() {
    return entries - (end == null ? 1 : 2);
  }
}
