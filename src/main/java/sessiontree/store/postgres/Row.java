package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;

/**
 * A session's row, as it was read or as it will be after an append.
 *
 * @param born distinguishes the session from all others that had its id; 0 if nothing is stored
 * @param phase as in the table; 0 if nothing is stored
 */
record Row(long born, int phase, long seq, long entries, long startKey) {
  static final int OPEN = 1;
  static final int ENDED = 2;
  static final int COMPLETE = 3;

  /** Ended, with entries missing. Never in the table, as each server finds out by itself. */
  static final int DAMAGED = 4;

  /** Nothing is stored under the id. */
  static final Row NONE = new Row(0, 0, 0, 0, 0);

  /** Returns the state after the row's deletion: nothing is stored, but the sequence goes on. */
  Row deleted() {
    return new Row(0, 0, seq + 1, 0, 0);
  }

  /** Returns the row of an ended session in another phase. */
  Row inPhase(int other) {
    return new Row(born, other, seq, entries, startKey);
  }

  boolean isDeleted() {
    return born == 0 && seq > 0;
  }

  SessionState state() {
    Phase of =
        switch (phase) {
          case OPEN -> Phase.OPEN;
          case ENDED -> Phase.ENDED;
          case COMPLETE -> Phase.COMPLETE;
          case DAMAGED -> Phase.DAMAGED;
          default -> Phase.NEW;
        };
    return new SessionState(of, seq, entries, startKey);
  }

  /** Identifies this session among all ever stored and, until it is complete, its sequence. */
  String version() {
    if (born == 0) {
      return null;
    }
    return phase == COMPLETE ? tag(born) : tag(born) + "." + seq;
  }

  /** Returns the tag of the session's tree. */
  static String tag(long born) {
    return Long.toString(born, Character.MAX_RADIX);
  }

  /** Reads the rows of those sessions that exist, by id. */
  static Map<String, Row> read(Connection connection, Collection<String> ids) throws SQLException {
    Map<String, Row> rows = new HashMap<>();
    Sql.query(
        connection,
        "SELECT id, born, phase, seq, entries, start_key FROM sessiontree.session"
            + " WHERE id = ANY (?)",
        row ->
            rows.put(
                row.getString(1),
                new Row(
                    row.getLong(2), row.getInt(3), row.getLong(4), row.getLong(5), row.getLong(6))),
        Sql.texts(ids));
    return rows;
  }

  /** The last number of a named writer. */
  record Writer(String name, long number) {}

  /**
   * Reads the writers of sessions. Call it after reading their rows, so none is older than those.
   */
  static Map<Long, List<Writer>> writers(Connection connection, Collection<Long> borns)
      throws SQLException {
    Map<Long, List<Writer>> writers = new HashMap<>();
    if (borns.isEmpty()) {
      return writers;
    }
    Sql.query(
        connection,
        "SELECT born, name, number FROM sessiontree.writer WHERE born = ANY (?)",
        row ->
            writers
                .computeIfAbsent(row.getLong(1), born -> new ArrayList<>())
                .add(new Writer(row.getString(2), row.getLong(3))),
        Sql.numbers(borns));
    return writers;
  }
}
