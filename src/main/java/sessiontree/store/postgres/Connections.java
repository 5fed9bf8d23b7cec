package sessiontree.store.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.postgresql.Driver;

/**
 * Connections to the primary. Each owner has its own; readers share a few. A connection on which
 * anything failed is closed, and nobody asks what became of it: what was written is either only
 * done where it was not before, or the fence decides. Safe for several threads.
 */
final class Connections implements AutoCloseable {
  private static final int READERS = 8;
  private static final long WAIT_SECONDS = 5;

  /** After one that could not be made, others are not tried so long, so that nobody waits long. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  /** Holds the driver's own logger, which would quote what clients sent. */
  private static final Logger DRIVER = Logger.getLogger("org.postgresql");

  /** What is done with a connection; what it reads is all read when it returns. */
  interface Work<T> {
    T with(Connection connection) throws SQLException, IOException;
  }

  private final StoreUri uri;
  private final Semaphore readers = new Semaphore(READERS, true);

  // Guarded by this.
  private final ArrayDeque<Connection> idle = new ArrayDeque<>();
  private boolean closed;

  private volatile long failedNanos = System.nanoTime() - PAUSE_NANOS;

  Connections(StoreUri uri) {
    this.uri = uri;
    DRIVER.setLevel(Level.OFF);
  }

  /** A new connection to the primary, whose commits wait for what the database is set to. */
  Connection connect() throws SQLException {
    Properties properties = uri.properties();
    properties.setProperty("targetServerType", "primary");
    properties.setProperty("hostRecheckSeconds", "0");
    properties.setProperty("loadBalanceHosts", "true"); // one that is a primary no more is left
    properties.setProperty("connectTimeout", "3");
    properties.setProperty("loginTimeout", "5");
    properties.setProperty("socketTimeout", "10");
    properties.setProperty("tcpKeepAlive", "true");
    properties.setProperty("ApplicationName", "sessiontree");
    properties.setProperty("logUnclosedConnections", "false");
    Connection connection = new Driver().connect(uri.url(), properties);
    try {
      connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      try (Statement set = connection.createStatement()) {
        set.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
                + " WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');"
                + " SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s';"
                + " SET enable_seqscan = off; SET jit = off; SET client_min_messages = warning");
      }
      return connection;
    } catch (SQLException e) {
      close(connection);
      throw e;
    }
  }

  /**
   * Reads. One that is in the way of an outage is tried once more by a new connection.
   *
   * @throws IOException if the database does not respond
   */
  <T> T read(Work<T> work) throws IOException {
    try {
      if (!readers.tryAcquire(WAIT_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException("the database is busy");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    try {
      Connection connection = takeIdle();
      if (connection != null) {
        try {
          return with(connection, work);
        } catch (SQLException e) {
          if (!isLost(e)) {
            throw e;
          }
        }
      }
      return with(connectSoon(), work);
    } catch (SQLException e) {
      throw new IOException("the database does not respond: " + e.getMessage(), e);
    } finally {
      readers.release();
    }
  }

  private <T> T with(Connection connection, Work<T> work) throws SQLException, IOException {
    boolean sound = false;
    try {
      T result = work.with(connection);
      sound = true;
      return result;
    } finally {
      synchronized (this) {
        if (sound && !closed) {
          idle.push(connection);
          connection = null;
        }
      }
      close(connection);
    }
  }

  private synchronized Connection takeIdle() throws IOException {
    if (closed) {
      throw new IOException("the store is closed");
    }
    return idle.poll();
  }

  private Connection connectSoon() throws SQLException {
    if (System.nanoTime() - failedNanos < PAUSE_NANOS) {
      throw new SQLException("it did not a moment ago");
    }
    try {
      return connect();
    } catch (SQLException e) {
      failedNanos = System.nanoTime();
      synchronized (this) { // the others are no better
        while (!idle.isEmpty()) {
          close(idle.poll());
        }
      }
      throw e;
    }
  }

  /** Whether it may be the connection's fault, or that of the server at its other end. */
  static boolean isLost(SQLException e) {
    String state = e.getSQLState();
    return state == null || state.startsWith("08") || state.startsWith("57");
  }

  /** Closes it, whatever state it is in; null is none. */
  static void close(Connection connection) {
    if (connection == null) {
      return;
    }
    try {
      connection.abort(Runnable::run); // says no farewell, which could take long
    } catch (SQLException e) {
      DRIVER.log(Level.FINE, "not closed", e);
    }
  }

  /** The first column of the only row; 0 if there is none. */
  static long number(Connection connection, String sql) throws SQLException {
    try (Statement query = connection.createStatement();
        ResultSet row = query.executeQuery(sql)) {
      return row.next() ? row.getLong(1) : 0;
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    while (!idle.isEmpty()) {
      close(idle.poll());
    }
  }
}
