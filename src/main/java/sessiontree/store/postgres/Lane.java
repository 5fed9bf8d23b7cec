package sessiontree.store.postgres;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Append;
import sessiontree.store.DaemonThreads;
import sessiontree.store.postgres.Queued.Outcome;

/**
 * A thread and a connection that store the appends of some of a server's sessions. The lane sends
 * everything queued as one statement and gives the results; what is queued meanwhile is the next
 * group. A group in doubt stays in the lane until the fence has decided.
 */
final class Lane {
  private static final Logger LOG = LoggerFactory.getLogger(Lane.class);
  private static final int MAX_APPENDS = 2_000;
  private static final int RETRY_MILLIS = 1_000;
  private static final int CLOSE_MILLIS = 3_000;
  private static final int ATTEMPTS = 3;
  private static final int DEADLOCKS = 20;

  private final String name;
  private final Connections connections;
  private final Outcomes outcomes;
  private final Histogram seconds;
  private final Counter conflicts;
  private final int maxBytes;
  private final long unknownAfterMillis;
  private final Thread thread;

  private final Object lock = new Object();

  // Guarded by lock.
  private final ArrayDeque<Queued> queue = new ArrayDeque<>();
  private boolean closing;

  /**
   * Whether the last statement failed: appends to sessions that are not in doubt are refused at
   * once. Written by the lane's thread, guarded by lock.
   */
  private volatile boolean failing;

  /** Whether the last group is in doubt. Written by the lane's thread. */
  private volatile boolean doubting;

  // Owned by the thread.
  private volatile Connection connection; // volatile, as join() may close it
  private AppendStatement statement;
  private long nextTryNanos;
  private boolean registered;
  private long epoch;
  private long number; // of the last group sent
  private final Borns borns = new Borns();

  Lane(
      String name,
      Connections connections,
      Outcomes outcomes,
      Histogram seconds,
      Counter conflicts,
      PostgresStore.Options options) {
    this.name = name;
    this.connections = connections;
    this.outcomes = outcomes;
    this.seconds = seconds;
    this.conflicts = conflicts;
    this.maxBytes = options.groupBytes();
    this.unknownAfterMillis = options.unknownAfterMillis();
    this.thread = DaemonThreads.named("lane").newThread(this::takeGroups);
  }

  void start() {
    thread.start();
  }

  boolean isFailing() {
    return failing;
  }

  boolean isDoubting() {
    return doubting;
  }

  void queue(PostgresSession session, Append append) {
    synchronized (lock) {
      Queued one = new Queued(session, append);
      boolean first = !session.doubted && session.queued == 0;
      if (failing && first && append.changes()) { // one that stores nothing waits for a retry
        refuse(List.of(one));
        return;
      }
      session.queued++;
      if (queue.isEmpty()) {
        lock.notifyAll();
      }
      queue.add(one);
    }
  }

  /** Refuses appends that are certainly not stored, as they were not sent. Guarded by lock. */
  private void refuse(List<Queued> refused) {
    refused.forEach(one -> one.outcome = Outcome.FAILED);
    outcomes.give(refused);
  }

  private void takeGroups() {
    while (true) {
      Group group;
      synchronized (lock) {
        awaitWork();
        if (queue.isEmpty() && closing) {
          break;
        }
      }
      if (connection == null && !connect()) {
        synchronized (lock) {
          if (closing) {
            break;
          }
        }
        continue;
      }
      synchronized (lock) {
        group = nextGroup();
      }
      try {
        store(group);
      } catch (RuntimeException e) { // a bug: OPEN will say what is stored
        LOG.error("storing a group of appends failed", e);
        failAll(group, Outcome.UNKNOWN);
      }
      if (connection != null) {
        try {
          borns.reserve(connection, MAX_APPENDS);
        } catch (SQLException e) {
          fail(e);
        }
      }
    }
    Connections.close(connection);
  }

  /** Waits for an append or, if the last statement failed, for the time of the next attempt. */
  private void awaitWork() {
    while (!closing && (failing ? System.nanoTime() < nextTryNanos : queue.isEmpty())) {
      DaemonThreads.await(lock, failing ? RETRY_MILLIS / 10 : 0);
    }
  }

  /** Guarded by lock. */
  private Group nextGroup() {
    Group group = new Group(borns::next);
    int bytes = 0;
    while (!queue.isEmpty() && group.queued.size() + group.later.size() < MAX_APPENDS) {
      bytes += queue.peek().bytes();
      if (bytes > maxBytes && !group.queued.isEmpty()) {
        break;
      }
      group.add(queue.poll());
    }
    for (int i = group.later.size() - 1; i >= 0; i--) {
      queue.addFirst(group.later.get(i));
    }
    group.queued.forEach(one -> one.session.queued--);
    return group;
  }

  /** Connects, and returns whether that succeeded; if not, refuses the queued appends. */
  private boolean connect() {
    try {
      connection = connections.connect();
      prepare();
      return true;
    } catch (SQLException e) {
      fail(e);
      return false;
    }
  }

  /** Prepares a new connection for storing, and ends the refusals. */
  private void prepare() throws SQLException {
    if (!registered) {
      AppendStatement.register(connection, name);
      registered = true;
      fence();
    }
    borns.reserve(connection, MAX_APPENDS);
    statement = new AppendStatement(connection);
    if (failing) {
      LOG.info("the database accepts writes again");
    }
    synchronized (lock) {
      failing = false;
    }
  }

  private AppendStatement.Fenced fence() throws SQLException {
    AppendStatement.Fenced fenced = AppendStatement.fence(connection, name);
    if (fenced == null) {
      registered = false;
      epoch = -1;
    } else {
      epoch = fenced.epoch();
    }
    return fenced;
  }

  private void fail(SQLException cause) {
    Connections.close(connection);
    connection = null;
    if (!failing) {
      LOG.error(
          "the database does not accept writes, retrying every second: {}", Sql.message(cause));
    }
    nextTryNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS);
    synchronized (lock) {
      failing = true;
      refuse(takeUndoubted());
    }
  }

  private void store(Group group) {
    List<Group.Change> changes = group.changes();
    long began = System.nanoTime();
    Set<Long> missed = changes.isEmpty() ? Set.of() : null;
    SQLException cause = null;
    for (int attempt = 0; attempt < ATTEMPTS && missed == null && !group.givenUnknown; attempt++) {
      try {
        missed = storeChanges(changes);
      } catch (SQLException e) {
        cause = e;
        missed = resolve(group, e); // if it is not stored, the loop sends it again
      } catch (RuntimeException e) {
        cause = new SQLException(e);
        missed = resolve(group, cause);
      }
    }
    if (missed != null && !group.givenUnknown) {
      settle(group, missed);
      seconds.observe((System.nanoTime() - began) / 1e9);
      conflicts.inc(missed.size());
    } else if (!group.givenUnknown) {
      LOG.error("a group cannot be stored: {}", Sql.message(cause));
      failAll(group, Outcome.FAILED);
    }
    if (cause != null) {
      clearDoubt(group);
    }
  }

  /** Stores the changes. Returns the {@code born} of each that was outdated. */
  private Set<Long> storeChanges(List<Group.Change> changes) throws SQLException {
    number++;
    for (int attempt = 0; ; attempt++) {
      try {
        Set<Long> missed = statement.store(name, epoch, number, changes);
        if (missed != null) {
          return missed;
        }
        if (fence() == null) { // a late fence ended the epoch, or the row was purged
          AppendStatement.register(connection, name);
          registered = true;
          fence();
        }
      } catch (SQLException e) {
        boolean aborted = e.getSQLState() != null && e.getSQLState().startsWith("40");
        if (!aborted || attempt == DEADLOCKS) {
          throw e;
        }
      }
    }
  }

  // --- In doubt

  /**
   * Finds out whether a group whose statement failed is stored, however long that takes. Returns
   * its outdated changes; null if nothing of it is stored, or its results were given.
   */
  private Set<Long> resolve(Group group, SQLException cause) {
    synchronized (lock) {
      group.parts().forEach(part -> part.session.doubted = true);
    }
    doubting = true;
    fail(cause);
    long began = System.nanoTime();
    while (!givesUp(group, began)) {
      try {
        connection = connections.connect();
        AppendStatement.Fenced fenced = fence();
        prepare();
        doubting = false;
        boolean stored = fenced != null && fenced.done() == number;
        LOG.info("a group that was in doubt is {}", stored ? "stored" : "not stored");
        return stored && !group.givenUnknown ? fenced.missed() : null;
      } catch (SQLException e) {
        LOG.debug("it is not known yet what is stored", e);
        Connections.close(connection);
        connection = null;
      }
      synchronized (lock) {
        DaemonThreads.await(lock, closing ? 1 : RETRY_MILLIS);
      }
    }
    return null;
  }

  /** Gives the results as unknown if late or closing. Returns whether the lane is closing. */
  private boolean givesUp(Group group, long began) {
    boolean late = System.nanoTime() - began > TimeUnit.MILLISECONDS.toNanos(unknownAfterMillis);
    synchronized (lock) {
      if ((late || closing) && !group.givenUnknown) {
        group.givenUnknown = true;
        failAll(group, Outcome.UNKNOWN);
        clearDoubt(group);
      }
      return closing;
    }
  }

  /** Clears a group's doubt after its results; if refusing, refuses what waited behind it. */
  private void clearDoubt(Group group) {
    synchronized (lock) {
      group.parts().forEach(part -> part.session.doubted = false);
      if (failing) {
        refuse(takeUndoubted());
      }
    }
  }

  /** Guarded by lock. */
  private List<Queued> takeUndoubted() {
    List<Queued> taken = new ArrayList<>();
    queue.removeIf(one -> !one.session.doubted && taken.add(one));
    taken.forEach(one -> one.session.queued--);
    return taken;
  }

  private void failAll(Group group, Outcome outcome) {
    List<Queued> all = List.copyOf(group.queued);
    for (Queued one : all) {
      one.outcome = outcome;
      one.session.brokenEra = Math.max(one.session.brokenEra, one.era);
    }
    outcomes.give(all);
  }

  // --- Results

  /**
   * Gives the results of a group that is stored except for the {@code missed} changes, after
   * reading the rows and writers that the results need.
   */
  private void settle(Group group, Set<Long> missed) {
    Set<String> asked = group.breakMissed(missed);
    Map<String, Row> rows = Map.of();
    Map<Long, List<Row.Writer>> writers = Map.of();
    SQLException unread = null;
    if (!asked.isEmpty()) {
      try {
        rows = Row.read(connection, asked);
        writers = Row.writers(connection, Outcomes.changedBorns(group, rows));
      } catch (SQLException e) {
        unread = e;
      }
    }
    outcomes.give(group, missed, unread == null ? rows : null, writers);
    if (unread != null) { // after the group's results, so that later appends are refused after them
      fail(unread);
    }
  }

  /** Makes the lane end once everything queued is stored. Nothing may be queued afterwards. */
  void close() {
    synchronized (lock) {
      closing = true;
      lock.notifyAll();
    }
  }

  /** Waits for the lane's end, but not long if the database does not respond. */
  void join() throws InterruptedException {
    thread.join(CLOSE_MILLIS);
    if (thread.isAlive()) {
      Connections.close(connection);
      thread.join(CLOSE_MILLIS);
    }
  }
}
