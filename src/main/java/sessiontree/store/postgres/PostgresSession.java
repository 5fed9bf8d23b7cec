package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A session in use at this server. It has two views of its row: that of its lane, which is as new
 * as the last statement, and that of its user, which moves on with the results of appends.
 */
final class PostgresSession implements StoredSession {
  private final String id;

  private final Lane lane;
  private final Connections connections;

  /** Counts the resumptions; appends of an earlier era are stored no more once one was not. */
  private volatile int era;

  // Owned by the lane's thread; before the first append by the thread that opened the session.
  Row known = Row.NONE;
  int brokenEra = -1;

  // Guarded by the lane's lock.
  boolean doubted; // appends are sent of which nobody knows whether they are stored
  int queued; // appends

  /** A result that waits for the tree; one that is not stored only waits for those before it. */
  private record Held(Append.Callback callback, boolean stored, Runnable result) {}

  // Owned by the thread that gives results.
  private List<Held> held; // null unless they wait; that of the append which ended it comes first
  private boolean ended; // by an append of this server's

  // Guarded by this.
  private Row seen = Row.NONE;
  private final Map<String, Long> writers = new HashMap<>(0);

  PostgresSession(String id, Lane lane, Connections connections) {
    this.id = id;
    this.lane = lane;
    this.connections = connections;
  }

  String id() {
    return id;
  }

  int era() {
    return era;
  }

  synchronized Row seen() {
    return seen;
  }

  /** Takes what was read, for those that use it. */
  synchronized void load(Row row, List<Row.Writer> all) {
    seen = row;
    writers.clear();
    all.forEach(writer -> writers.put(writer.name(), writer.number()));
  }

  /** An append is stored that made the row what is given. */
  synchronized void moveOn(Row row, Append append) {
    boolean older = seen.phase() == Row.COMPLETE && row.seq() == seen.seq();
    seen = older ? seen : row;
    if (append.writer() != null) {
      writers.put(append.writer(), append.number());
    }
  }

  @Override
  public SessionState state() {
    return seen().state();
  }

  @Override
  public boolean shared() {
    return true;
  }

  @Override
  @SuppressWarnings("NonAtomicVolatileUpdate") // of one thread at a time, as appends are
  public SessionState resume() {
    era++;
    return state();
  }

  @Override
  public synchronized long lastNumber(String writer) {
    return writers.getOrDefault(writer, 0L);
  }

  @Override
  public synchronized int writers() {
    return writers.size();
  }

  @Override
  public String version() {
    return seen().version();
  }

  @Override
  public Batch.Bound latest() throws IOException {
    Row row = seen();
    return connections.read(connection -> latest(connection, row.born()));
  }

  private Batch.Bound latest(Connection connection, long born) throws SQLException, IOException {
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT latest_key, latest_text FROM sessiontree.session WHERE id = ? AND born = ?")) {
      query.setString(1, id);
      query.setLong(2, born);
      try (ResultSet row = query.executeQuery()) {
        if (!row.next()) {
          throw new IOException("the session is not there any more");
        }
        return new Batch.Bound(row.getLong(1), row.getString(2));
      }
    }
  }

  @Override
  public Cursor since(long children) {
    return Entries.since(connections, id, seen().born(), children);
  }

  @Override
  public void append(Append append) {
    lane.queue(this, append);
  }

  // --- Results that wait for the tree. Owned by the thread that gives results.

  boolean holds() {
    return held != null;
  }

  /**
   * From now on results wait for the tree.
   *
   * @param ending of the append that ended the session; null if that was another server's
   */
  void hold(Append.Callback ending) {
    held = new ArrayList<>(1);
    ended = ending != null;
    if (ended) {
      hold(ending, true, ending::stored);
    }
  }

  /** One more result that waits. */
  void hold(Append.Callback callback, boolean stored, Runnable result) {
    held.add(new Held(callback, stored, result));
    if (stored) {
      Results.guard(callback::held);
    }
  }

  /** The tree can be read. */
  void completed(long born) {
    synchronized (this) {
      if (seen.born() == born && seen.phase() == Row.ENDED) {
        seen = new Row(born, Row.COMPLETE, seen.seq(), seen.entries(), seen.startKey());
      }
    }
    release((one, first) -> one.result.run());
  }

  /** An append that is stored has removed the session, so there never is a tree. */
  void deletedHere() {
    release(
        (one, first) -> {
          if (first && ended) {
            one.callback.noTree();
          } else {
            one.result.run();
          }
        });
  }

  /** Another server has removed the session. */
  void deletedElsewhere(long born) {
    synchronized (this) {
      seen = seen.born() == born ? seen.deleted() : seen;
    }
    release(
        (one, first) -> {
          if (one.stored) {
            one.callback.outdated();
          } else {
            one.result.run();
          }
        });
  }

  private interface Giving {
    void give(Held one, boolean first);
  }

  private void release(Giving giving) {
    if (held == null) {
      return;
    }
    List<Held> all = held;
    held = null;
    for (int i = 0; i < all.size(); i++) {
      Held one = all.get(i);
      boolean first = i == 0;
      Results.guard(() -> giving.give(one, first));
    }
    all.forEach(one -> Results.guard(one.callback::flush));
  }
}
