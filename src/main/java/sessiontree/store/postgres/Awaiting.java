package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The sessions in use at this server that have ended, and whose results wait for the tree,
 * whichever server makes it, or until it is known that there will be none. Safe for several
 * threads.
 */
final class Awaiting {
  /** One statement, as the entries of a session are deleted once its phase is 3. */
  private static final String DAMAGED =
      """
      SELECT id, born FROM sessiontree.session s WHERE id = ANY (?) AND phase = 2 AND (entries - 2, bytes) <> (
        SELECT coalesce(sum(count), 0), coalesce(sum(length(children)), 0) FROM sessiontree.entry e
        WHERE e.born = s.born)
      """;

  private static final class One {
    final PostgresSession session;
    final long born;
    boolean checked; // whether its entries were counted. Owned by the thread that calls look()

    One(PostgresSession session, long born) {
      this.session = session;
      this.born = born;
    }
  }

  private final Connections connections;
  private final Results results;
  private final Map<String, List<One>> waiting = new HashMap<>(); // guarded by this

  Awaiting(Connections connections, Results results) {
    this.connections = connections;
    this.results = results;
  }

  synchronized void add(PostgresSession session, long born) {
    waiting.computeIfAbsent(session.id(), id -> new ArrayList<>(1)).add(new One(session, born));
  }

  /** Releases the results of the session, whose tree can be read. */
  void completed(String id, long born) {
    release(id, born, session -> session.completed(born));
  }

  private void release(String id, long born, Consumer<PostgresSession> how) {
    results.give(() -> take(id, born).forEach(how));
  }

  private synchronized List<PostgresSession> take(String id, long born) {
    List<PostgresSession> taken = new ArrayList<>(1);
    List<One> of = waiting.getOrDefault(id, new ArrayList<>());
    of.removeIf(one -> one.born == born && taken.add(one.session));
    if (of.isEmpty()) {
      waiting.remove(id);
    }
    return taken;
  }

  /** Reads the rows of all waiting sessions, and releases the results whose wait is over. */
  void look() throws IOException {
    Map<String, List<One>> asked = new HashMap<>();
    synchronized (this) {
      waiting.forEach((id, of) -> asked.put(id, List.copyOf(of)));
    }
    if (asked.isEmpty()) {
      return;
    }
    Map<String, Row> rows = connections.run(connection -> Row.read(connection, asked.keySet()));
    Set<String> unchecked = new HashSet<>();
    asked.forEach(
        (id, of) -> {
          Row row = rows.getOrDefault(id, Row.NONE);
          for (One one : of) {
            if (row.born() != one.born) {
              release(id, one.born, session -> session.deletedElsewhere(one.born));
            } else if (row.phase() == Row.COMPLETE) {
              completed(id, one.born);
            } else if (!one.checked) {
              // Also if counting fails: it can take long, and would hold up the others.
              one.checked = true;
              unchecked.add(id);
            }
          }
        });
    if (!unchecked.isEmpty()) {
      connections
          .run(connection -> damaged(connection, unchecked))
          .forEach(one -> release(one.id(), one.born(), session -> session.damaged(one.born())));
    }
  }

  /** Returns those sessions that have ended, and whose entries are not all there. */
  private static List<Finisher.Ended> damaged(Connection connection, Set<String> ids)
      throws SQLException {
    return Sql.query(
        connection,
        DAMAGED,
        row -> new Finisher.Ended(row.getString(1), row.getLong(2)),
        Sql.texts(ids));
  }
}
