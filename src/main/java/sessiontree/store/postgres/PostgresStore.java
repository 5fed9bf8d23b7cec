package sessiontree.store.postgres;

import io.prometheus.metrics.core.metrics.Counter;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import sessiontree.metrics.Metrics;
import sessiontree.store.Expirable;
import sessiontree.store.Listable;
import sessiontree.store.Listing;
import sessiontree.store.PartialTree;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * A store on a PostgreSQL database that any number of servers share. What is acknowledged is as
 * durable as the database's commits; a server keeps only what is in flight.
 */
public final class PostgresStore implements SessionStore, Listable, Expirable {
  private static final int LANES = 2;

  /**
   * The store's settings.
   *
   * @param memoryBytes maximum bytes of a session's children while they are sorted
   * @param smallBytes maximum bytes of children of the sessions that are finished together
   * @param folder for temporary files
   * @param periodMillis between two rounds of upkeep
   * @param pollMillis after which watched sessions are looked up again
   * @param unknownAfterMillis after which the results of a group in doubt are given as unknown
   * @param treesAfterMillis how long the tree of a deleted session can still be sent to its end
   */
  public record Options(
      long memoryBytes,
      long smallBytes,
      Path folder,
      long periodMillis,
      long pollMillis,
      long unknownAfterMillis,
      long treesAfterMillis) {
    /** Returns the defaults for that much memory. */
    public static Options of(long memoryBytes) {
      Path folder = Path.of(System.getProperty("java.io.tmpdir"));
      long part = memoryBytes / 8;
      return new Options(part, Math.min(8 << 20, part), folder, 2_000, 1_000, 8_000, 300_000);
    }

    /** Maximum bytes of messages that a lane sends at a time, unless it is one message. */
    int groupBytes() {
      return (int) Math.min(4 << 20, memoryBytes / 2);
    }
  }

  private final Connections connections;
  private final Results results = new Results();
  private final Awaiting awaiting;
  private final Lane[] lanes = new Lane[LANES];
  private final Finisher finisher;
  private final Upkeep upkeep;
  private final AtomicInteger openSessions = new AtomicInteger(); // as counted, with changes since
  private final Follower follower;
  private final TreeRows treeRows;

  private PostgresStore(Connections connections, Options options, Metrics metrics) {
    String node = UUID.randomUUID().toString();
    this.connections = connections;
    this.awaiting = new Awaiting(connections, results);
    this.follower = new Follower(connections, awaiting, options.pollMillis);
    this.treeRows = new TreeRows(connections, options.folder, options.memoryBytes);
    this.finisher =
        new Finisher(connections, options, awaiting, follower, openSessions, metrics.finishSeconds);
    this.upkeep = new Upkeep(connections, finisher, openSessions, node, options);
    Outcomes outcomes = new Outcomes(results, awaiting, finisher, follower, openSessions);
    Counter conflicts =
        metrics.counter(
            "engine_conflicts",
            "Changes, one per session and group, that came after another server's.");
    for (int i = 0; i < LANES; i++) {
      String lane = node + "-" + i;
      lanes[i] = new Lane(lane, connections, outcomes, metrics.forceSeconds, conflicts, options);
    }
    metrics.gauge(
        "engine_healthy", "Whether the database accepts writes.", () -> healthy() ? 1 : 0);
    metrics.gauge(
        "engine_in_doubt",
        "Lanes that do not know yet whether their last group is stored.",
        () -> List.of(lanes).stream().filter(Lane::isDoubting).count());
    metrics.gauge(
        "engine_lease_held",
        "Whether this server holds the sweeper lease.",
        () -> upkeep.leads() ? 1 : 0);
  }

  /**
   * Opens the store, and creates its tables if there are none.
   *
   * @param given the value of {@code --store}
   * @param password null if it is in {@code given}, or none is needed
   * @throws IOException if the database does not respond, or cannot keep the store's promises
   */
  public static PostgresStore open(String given, String password, Options options, Metrics metrics)
      throws IOException {
    Connections connections = new Connections(StoreUri.parse(given, password));
    try {
      Connection connection = connections.connect();
      try {
        Schema.prepare(connection);
      } finally {
        Connections.close(connection);
      }
    } catch (SQLException e) {
      throw new IOException(e.getMessage(), e);
    }
    PostgresStore store = new PostgresStore(connections, options, metrics);
    for (Lane lane : store.lanes) {
      lane.start();
    }
    store.finisher.start();
    store.upkeep.start();
    store.follower.start();
    return store;
  }

  /**
   * Checks a value of {@code --store}.
   *
   * @throws IllegalArgumentException if it is not valid; the message holds no password
   */
  public static void check(String given) {
    StoreUri.parse(given, null);
  }

  /** Returns the value of {@code --store} without the password, for logs. */
  public static String withoutPassword(String given) {
    return StoreUri.parse(given, null).toString();
  }

  /** Starts calling {@code changed} with the ids of watched sessions changed by other servers. */
  public void follow(Supplier<List<StoredSession>> watched, Consumer<String> changed) {
    follower.setListener(watched, changed);
  }

  @Override
  public StoredSession open(String id) throws IOException {
    Lane lane = lanes[Math.floorMod(id.hashCode(), LANES)];
    PostgresSession session = new PostgresSession(id, lane, connections);
    Row row = connections.run(connection -> load(connection, id, session));
    session.known = row;
    return session;
  }

  private static Row load(Connection connection, String id, PostgresSession session)
      throws SQLException {
    Row row = row(connection, id);
    List<Row.Writer> writers =
        row.born() == 0
            ? List.of()
            : Row.writers(connection, List.of(row.born())).getOrDefault(row.born(), List.of());
    session.load(row, writers);
    return row;
  }

  private static Row row(Connection connection, String id) throws SQLException {
    return Row.read(connection, List.of(id)).getOrDefault(id, Row.NONE);
  }

  @Override
  public SessionState state(String id) throws IOException {
    return connections.run(connection -> row(connection, id)).state();
  }

  @Override
  public Optional<Tree> tree(String id) throws IOException {
    return treeRows.tree(id);
  }

  @Override
  public Optional<PartialTree> partial(String id) throws IOException {
    return treeRows.partial(id);
  }

  @Override
  public Listing list(Listing.Query query) throws IOException {
    return connections.run(connection -> Pages.read(connection, query));
  }

  @Override
  public boolean housekeeps() {
    try {
      return connections.run(connection -> upkeep.lease(connection, "housekeeper"));
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public List<Seen> idle(Duration time, int limit) {
    try {
      return seen(
          "SELECT id, born, phase, seq FROM sessiontree.session WHERE phase = 1 AND appended <="
              + " (SELECT running FROM sessiontree.clock) - ? ORDER BY begun, id LIMIT ?",
          time,
          limit);
    } catch (IOException e) { // the next round looks again
      return List.of();
    }
  }

  @Override
  public List<Seen> completeFor(Duration time, int limit) throws IOException {
    return seen(
        "SELECT id, born, phase, seq FROM sessiontree.session WHERE phase = 3 AND completed_running"
            + " <= (SELECT running FROM sessiontree.clock) - ? ORDER BY completed_running LIMIT ?",
        time,
        limit);
  }

  private List<Seen> seen(String sql, Duration time, int limit) throws IOException {
    return connections.run(
        connection ->
            Sql.query(
                connection,
                sql,
                row -> {
                  Row one = new Row(row.getLong(2), row.getInt(3), row.getLong(4), 0, 0);
                  return new Seen(row.getString(1), one.version());
                },
                time.toMillis(),
                limit));
  }

  @Override
  public int openSessions() {
    return Math.max(0, openSessions.get());
  }

  @Override
  public boolean healthy() {
    for (Lane lane : lanes) {
      if (lane.isFailing()) {
        return false;
      }
    }
    return upkeep.isHealthy();
  }

  @Override
  public void close() throws IOException {
    try {
      for (Lane lane : lanes) {
        lane.close();
      }
      for (Lane lane : lanes) {
        lane.join();
      }
      finisher.close(3_000);
      upkeep.close();
      follower.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    results.close();
    connections.close();
  }
}
