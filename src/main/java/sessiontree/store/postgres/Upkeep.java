package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.DaemonThreads;
import sessiontree.store.postgres.Finisher.Ended;

/**
 * Periodic maintenance: advances the cluster's clock, which also shows whether commits return;
 * counts open sessions; takes over ended sessions that nobody finishes; and purges deleted data, on
 * the server that holds the lease for that.
 */
final class Upkeep {
  private static final Logger LOG = LoggerFactory.getLogger(Upkeep.class);

  /** How long a silent server keeps its claims on sessions that it finishes, and its leases. */
  private static final String LOST = "interval '10 seconds'";

  private static final int ROWS = 5_000;
  private static final int PARTS = 200;

  private final Connections connections;
  private final Finisher finisher;
  private final AtomicInteger openSessions;
  private final String node;
  private final long periodMillis;
  private final String treesAfter;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("upkeep"));

  private volatile long beatNanos = System.nanoTime();
  private volatile boolean failing;
  private volatile boolean leads;
  private Connection connection; // owned by the thread

  Upkeep(
      Connections connections,
      Finisher finisher,
      AtomicInteger openSessions,
      String node,
      PostgresStore.Options options) {
    this.connections = connections;
    this.finisher = finisher;
    this.openSessions = openSessions;
    this.node = node;
    this.periodMillis = options.periodMillis();
    this.treesAfter = "interval '" + options.treesAfterMillis() + " milliseconds'";
  }

  void start() {
    ScheduledFuture<?> unused =
        thread.scheduleWithFixedDelay(
            DaemonThreads.vital(this::round), 0, periodMillis, TimeUnit.MILLISECONDS);
  }

  /** Returns whether a commit has returned lately, and no round has failed since. */
  boolean isHealthy() {
    return !failing && System.nanoTime() - beatNanos < TimeUnit.SECONDS.toNanos(7);
  }

  boolean leads() {
    return leads;
  }

  private void round() {
    try {
      if (connection == null) {
        connection = connections.connect();
      }
      Sql.write(
          connection,
          "UPDATE sessiontree.clock SET touched = clock_timestamp(), running = running + greatest(0,"
              + " least(5000, (extract(epoch FROM clock_timestamp() - touched) * 1000)::bigint))");
      beatNanos = System.nanoTime();
      failing = false;
      int before = openSessions.get();
      int counted =
          Sql.first(
              Sql.query(
                  connection,
                  "SELECT count(*) FROM sessiontree.session WHERE phase IN (1, 2)",
                  row -> row.getInt(1)));
      openSessions.addAndGet(counted - before);
      claim();
      leads = lease(connection, "sweeper");
      if (leads) {
        purge();
      }
    } catch (SQLException | IOException e) {
      if (!failing) {
        LOG.warn("an upkeep round failed, retrying: {}", e.getMessage());
      }
      failing = true;
      leads = false;
      Connections.close(connection);
      connection = null;
    } catch (RuntimeException e) {
      LOG.error("an upkeep round failed, retrying", e);
    }
  }

  /** Renews the claims on sessions that this server finishes, and takes over expired ones. */
  private void claim() throws SQLException {
    List<String> mine = finisher.claimed().stream().map(Ended::id).toList();
    if (!mine.isEmpty()) {
      Sql.write(
          connection,
          "UPDATE sessiontree.session SET claimed = clock_timestamp()"
              + " WHERE id = ANY (?) AND phase = 2",
          Sql.texts(mine));
    }
    Sql.write(
            connection,
            "UPDATE sessiontree.session SET claimed = clock_timestamp() WHERE phase = 2 AND id IN"
                + " (SELECT id FROM sessiontree.session WHERE phase = 2 AND claimed <"
                + " clock_timestamp() - "
                + LOST
                + " ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id, born",
            row -> new Ended(row.getString(1), row.getLong(2)))
        .forEach(finisher::add);
  }

  /** Takes or renews a lease, which one server holds at a time. Returns whether this one does. */
  boolean lease(Connection by, String name) throws SQLException {
    return Sql.write(
            by,
            "INSERT INTO sessiontree.lease (name, node, until) VALUES (?, ?, clock_timestamp() + "
                + LOST
                + ") ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until"
                + " WHERE lease.node = excluded.node OR lease.until < clock_timestamp()",
            name,
            node)
        == 1;
  }

  // --- Purging deleted data

  private void purge() throws SQLException, IOException {
    delete(1, null, List.of("entry"));
    delete(2, null, List.of("entry", "writer"));
    delete(3, "since < clock_timestamp() - " + treesAfter, List.of("tree"));
    Sql.write(
        connection,
        "DELETE FROM sessiontree.lane WHERE touched < clock_timestamp() - interval '1 day'");
  }

  /** Deletes garbage of one kind; of a deleted session (kind 2), the tree is left as kind 3. */
  private void delete(int kind, String due, List<String> tables) throws SQLException {
    List<Long> borns =
        Sql.query(
            connection,
            "SELECT born FROM sessiontree.garbage WHERE kind = ?"
                + (due == null ? "" : " AND " + due)
                + " ORDER BY born LIMIT 1000",
            row -> row.getLong(1),
            kind);
    if (borns.isEmpty()) {
      return;
    }
    Object purged = Sql.numbers(borns);
    for (String table : tables) {
      int most = table.equals("tree") ? PARTS : ROWS;
      String delete =
          "DELETE FROM sessiontree.%1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM sessiontree.%1$s"
              + " WHERE born = ANY (?) LIMIT %2$d))";
      while (Sql.write(connection, delete.formatted(table, most), purged) == most) {}
    }
    Sql.write(
        connection,
        kind == 2
            ? "UPDATE sessiontree.garbage SET kind = 3 WHERE kind = ? AND born = ANY (?)"
            : "DELETE FROM sessiontree.garbage WHERE kind = ? AND born = ANY (?)",
        kind,
        purged);
  }

  void close() {
    thread.shutdownNow();
  }
}
