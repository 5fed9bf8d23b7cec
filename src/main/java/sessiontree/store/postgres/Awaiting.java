package sessiontree.store.postgres;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The sessions in use at this server that have ended, and whose results wait for the tree,
 * whichever server makes it. Safe for several threads.
 */
final class Awaiting {
  private record One(PostgresSession session, long born) {}

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
    results.give(() -> take(id, born).forEach(session -> session.completed(born)));
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
    asked.forEach(
        (id, of) -> {
          Row row = rows.getOrDefault(id, Row.NONE);
          for (One one : of) {
            if (row.born() != one.born) {
              results.give(
                  () -> take(id, one.born).forEach(session -> session.deletedElsewhere(one.born)));
            } else if (row.phase() == Row.COMPLETE) {
              completed(id, one.born);
            }
          }
        });
  }
}
