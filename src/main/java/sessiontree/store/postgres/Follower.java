package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.DaemonThreads;
import sessiontree.store.SessionStore.StoredSession;

/**
 * Detects what other servers do to the sessions that are watched at this server, and notifies them
 * of what this server does. Notifications come soon but may be lost, so detection relies on looking
 * up the watched sessions regularly.
 */
final class Follower {
  private static final Logger LOG = LoggerFactory.getLogger(Follower.class);
  private static final String CHANNEL = "sessiontree";
  private static final int AT_A_TIME = 1_000;
  private static final int MAX_PAYLOAD = 7_900;

  private final Connections connections;
  private final Awaiting awaiting;
  private final long pollMillis;
  private final Thread thread = DaemonThreads.named("follower").newThread(this::pollLoop);
  private final ExecutorService notifier =
      Executors.newSingleThreadExecutor(DaemonThreads.named("notifier"));

  private volatile Supplier<List<StoredSession>> watched = List::of;
  private volatile Consumer<String> changed = id -> {};
  private volatile boolean closing;
  private long allNanos = System.nanoTime(); // of the last look at all; owned by the thread

  Follower(Connections connections, Awaiting awaiting, long pollMillis) {
    this.connections = connections;
    this.awaiting = awaiting;
    this.pollMillis = pollMillis;
  }

  void start() {
    thread.start();
  }

  /** Sets the source of watched sessions, and the listener that gets the id of each changed one. */
  void setListener(Supplier<List<StoredSession>> sessions, Consumer<String> listener) {
    watched = sessions;
    changed = listener;
  }

  private void pollLoop() {
    Connection connection = null;
    while (!closing) {
      try {
        if (connection == null) {
          connection = connections.connect();
          Sql.write(connection, "LISTEN " + CHANNEL);
        }
        lookUp(notified(connection));
      } catch (SQLException | IOException | RuntimeException e) {
        LOG.debug("looking up watched sessions failed, retrying", e);
        Connections.close(connection);
        connection = null;
        pause();
      }
    }
    Connections.close(connection);
  }

  private void pause() {
    try {
      Thread.sleep(pollMillis);
    } catch (InterruptedException e) {
      closing = true;
    }
  }

  /** Waits for notifications, and returns their ids; none if none come within the poll interval. */
  private Set<String> notified(Connection connection) throws SQLException {
    PGNotification[] notifications =
        connection.unwrap(PGConnection.class).getNotifications((int) pollMillis);
    Set<String> ids = new LinkedHashSet<>();
    for (PGNotification one : notifications == null ? new PGNotification[0] : notifications) {
      ids.addAll(List.of(one.getParameter().split(",")));
    }
    return ids;
  }

  private void lookUp(Set<String> notified) throws IOException {
    awaiting.look();
    long now = System.nanoTime();
    boolean all = notified.isEmpty() || now - allNanos >= pollMillis * 1_000_000;
    Map<String, PostgresSession> batch = new HashMap<>();
    for (StoredSession one : watched.get()) {
      PostgresSession session = (PostgresSession) one;
      if (all || notified.contains(session.id())) {
        batch.put(session.id(), session);
      }
      if (batch.size() == AT_A_TIME) {
        lookUpRows(batch);
        batch.clear();
      }
    }
    if (!batch.isEmpty()) {
      lookUpRows(batch);
    }
    if (all) {
      allNanos = now;
    }
  }

  private void lookUpRows(Map<String, PostgresSession> batch) throws IOException {
    Map<String, Row> rows = connections.run(connection -> Row.read(connection, batch.keySet()));
    batch.forEach(
        (id, session) -> {
          Row row = rows.getOrDefault(id, Row.NONE);
          Row seen = session.seen();
          boolean isNews =
              row.born() != seen.born()
                  || row.seq() > seen.seq()
                  || (row.phase() == Row.COMPLETE && seen.phase() == Row.ENDED);
          if (isNews && !seen.isDeleted()) {
            changed.accept(id);
          }
        });
  }

  /** Notifies other servers of changed sessions. A notification may be lost. */
  void publish(Collection<String> ids) {
    List<String> all = List.copyOf(ids);
    try {
      notifier.execute(
          () -> {
            try {
              connections.run(connection -> publish(connection, all));
            } catch (IOException | RuntimeException e) {
              LOG.debug("notifying other servers failed", e);
            }
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("the store is closed, and other servers are not notified", e);
    }
  }

  /** Notifies without waiting for a durable commit, as nothing depends on it. */
  private static boolean publish(Connection connection, List<String> ids) throws SQLException {
    String notify = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, ?)";
    StringBuilder payload = new StringBuilder();
    for (int i = 0; i < ids.size(); i++) {
      payload.append(payload.isEmpty() ? "" : ",").append(ids.get(i));
      if (i == ids.size() - 1 || payload.length() + ids.get(i + 1).length() >= MAX_PAYLOAD) {
        Sql.query(connection, notify, row -> true, CHANNEL, payload.toString());
        payload.setLength(0);
      }
    }
    return true;
  }

  void close() throws InterruptedException {
    closing = true;
    notifier.shutdown();
    thread.interrupt();
  }
}
