package sessiontree.store.postgres;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.sql.Connection;
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
 * anything failed is closed, and its outcome is not looked up: a write is either idempotent, or the
 * fence decides what became of it. Safe for several threads.
 */
final class Connections implements AutoCloseable {
  private static final int READERS = 8;
  private static final long WAIT_SECONDS = 5;

  /**
   * After a reader's failed attempt to connect, readers fail at once for so long, so that none
   * waits long. The pause ends when any owner connects.
   */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  /** The driver's logger, which would quote what clients sent. Held so that its level stays off. */
  private static final Logger DRIVER = Logger.getLogger("org.postgresql");

  /** A task for a connection. All that it reads is read when it returns. */
  interface Work<T> {
    T with(Connection connection) throws SQLException, IOException;
  }

  private final StoreUri uri;
  private final Semaphore readers = new Semaphore(READERS, true);

  // Guarded by this.
  private final ArrayDeque<Connection> idle = new ArrayDeque<>();
  private boolean closed;
  private long failedNanos = System.nanoTime() - PAUSE_NANOS; // when the readers' pause began
  private long connected; // number of successful attempts

  Connections(StoreUri uri) {
    this.uri = uri;
    DRIVER.setLevel(Level.OFF);
  }

  /** Opens a connection to the primary, whose commits wait for the configured standbys. */
  Connection connect() throws SQLException {
    Properties properties = uri.properties();
    properties.setProperty("targetServerType", "primary");
    properties.setProperty("hostRecheckSeconds", "0");
    properties.setProperty("loadBalanceHosts", "true"); // random order, to get off an old primary
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
      succeeded();
      return connection;
    } catch (SQLException e) {
      close(connection);
      throw e;
    }
  }

  /**
   * Runs a task on an idle connection; on a new one if none is idle, or the idle one was lost.
   *
   * @throws IOException if the database does not respond, or a statement fails
   */
  <T> T run(Work<T> work) throws IOException {
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
          if (e.getCause() instanceof SocketTimeoutException) {
            closeIdle();
            throw e; // an attempt to connect could take as long again
          }
          if (!isLost(e)) {
            throw e;
          }
        }
      }
      return with(connectSoon(), work);
    } catch (SQLException e) {
      String what =
          isLost(e) ? "the database does not respond: " : "the database reports an error: ";
      throw new IOException(what + e.getMessage(), e);
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
    long before = connectedUnlessPaused();
    try {
      return connect();
    } catch (SQLException e) {
      failed(before);
      throw e;
    }
  }

  private synchronized void succeeded() {
    connected++;
    failedNanos = System.nanoTime() - PAUSE_NANOS;
  }

  private synchronized long connectedUnlessPaused() throws SQLException {
    if (System.nanoTime() - failedNanos < PAUSE_NANOS) {
      throw new SQLException("an attempt to connect failed less than 500 ms ago");
    }
    return connected;
  }

  /** Makes readers pause, unless there was a connection while the attempt failed. */
  private synchronized void failed(long connectedBefore) {
    if (connected == connectedBefore) {
      failedNanos = System.nanoTime();
      closeIdle();
    }
  }

  /** Closes the idle connections, which are no better than one that failed. */
  private synchronized void closeIdle() {
    while (!idle.isEmpty()) {
      close(idle.poll());
    }
  }

  /** Returns whether the connection, or the server at its other end, may be at fault. */
  static boolean isLost(SQLException e) {
    String state = e.getSQLState();
    return state == null || state.startsWith("08") || state.startsWith("57");
  }

  /** Closes the connection, whatever state it is in; null is ignored. */
  static void close(Connection connection) {
    if (connection == null) {
      return;
    }
    try {
      connection.abort(Runnable::run); // sends no termination message, which could block
    } catch (SQLException e) {
      DRIVER.log(Level.FINE, "not closed", e);
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    closeIdle();
  }
}
