package sessiontree.store.postgres;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A session in use at this server. It keeps two views of its row: the lane's, as of the last
 * statement, and the user's, which follows the results of appends.
 */
final class PostgresSession implements StoredSession {
  private final String id;

  private final Lane lane;
  private final Connections connections;

  /** Counts resumptions. Once an append is not stored, none of its era or an earlier one is. */
  private volatile int era;

  // Owned by the lane's thread; before the first append by the thread that opened the session.
  Row known = Row.NONE;
  int brokenEra = -1;

  // Guarded by the lane's lock.
  boolean doubted; // a group with appends of this session is in doubt
  int queued; // appends in the lane's queue

  /** A result that waits for the tree; if not stored, only for the results before it. */
  private record Held(Append.Callback callback, boolean stored, Runnable result) {}

  // Owned by the callback thread.
  private List<Held> held; // null if no results wait; the ending append's comes first
  private boolean ended; // whether an append at this server ended the session

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

  /** Replaces the user's view by a row and writers that were read. */
  synchronized void load(Row row, List<Row.Writer> all) {
    seen = row;
    writers.clear();
    all.forEach(writer -> writers.put(writer.name(), writer.number()));
  }

  /** Moves the user's view to {@code row}, which a stored append led to. */
  synchronized void moveOn(Row row, Append append) {
    boolean older = row.phase() == Row.ENDED && seen.phase() > Row.ENDED && row.seq() == seen.seq();
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
  @SuppressWarnings("NonAtomicVolatileUpdate") // called by one thread at a time, like append()
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
    long born = seen().born();
    List<Batch.Bound> latest =
        connections.run(
            connection ->
                Sql.query(
                    connection,
                    "SELECT latest_key, latest_text FROM sessiontree.session"
                        + " WHERE id = ? AND born = ?",
                    row -> new Batch.Bound(row.getLong(1), row.getString(2)),
                    id,
                    born));
    if (latest.isEmpty()) {
      throw new IOException("the session is not there any more");
    }
    return latest.get(0);
  }

  @Override
  public Cursor since(long children) {
    return Entries.since(connections, id, seen().born(), children);
  }

  @Override
  public void append(Append append) {
    lane.queue(this, append);
  }

  // --- Results that wait for the tree. Owned by the callback thread.

  boolean holds() {
    return held != null;
  }

  /**
   * Makes results wait for the tree from now on.
   *
   * @param ending callback of the append that ended the session; null if another server's did
   */
  void hold(Append.Callback ending) {
    held = new ArrayList<>(1);
    ended = ending != null;
    if (ended) {
      hold(ending, true, ending::stored);
    }
  }

  /** Adds a result that waits. */
  void hold(Append.Callback callback, boolean stored, Runnable result) {
    held.add(new Held(callback, stored, result));
    if (stored) {
      Results.guard(callback::storedAwaitingTree);
    }
  }

  /** Releases the results once the tree can be read. */
  void completed(long born) {
    endedAs(Row.COMPLETE, born);
    release((one, first) -> one.result.run());
  }

  /** Releases the results: entries are missing, so there is no tree. */
  void damaged(long born) {
    endedAs(Row.DAMAGED, born);
    release(
        (one, first) -> {
          if (one.stored) {
            one.callback.noTree();
          } else {
            one.result.run();
          }
        });
  }

  private synchronized void endedAs(int phase, long born) {
    if (seen.born() == born && seen.phase() == Row.ENDED) {
      seen = seen.inPhase(phase);
    }
  }

  /** Releases the results after a stored append deleted the session: there will be no tree. */
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

  /** Releases the results after another server deleted the session. */
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

  private void release(BiConsumer<Held, Boolean> giveResult) {
    if (held == null) {
      return;
    }
    List<Held> all = held;
    held = null;
    for (int i = 0; i < all.size(); i++) {
      Held one = all.get(i);
      boolean first = i == 0;
      Results.guard(() -> giveResult.accept(one, first));
    }
    all.forEach(one -> Results.guard(one.callback::flush));
  }
}
