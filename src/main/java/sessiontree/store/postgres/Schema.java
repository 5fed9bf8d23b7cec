package sessiontree.store.postgres;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Creates the store's tables, and checks that the database can keep the store's promises. */
final class Schema {
  private static final Logger LOG = LoggerFactory.getLogger(Schema.class);
  private static final int VERSION = 1;
  private static final int LEAST_SERVER = 13;

  private Schema() {}

  /**
   * Checks the database's settings, and creates the tables if there are none.
   *
   * @throws IOException if the database cannot keep the store's promises
   */
  static void prepare(Connection connection) throws SQLException, IOException {
    int server = connection.getMetaData().getDatabaseMajorVersion();
    refuse(
        server < LEAST_SERVER, "PostgreSQL " + LEAST_SERVER + " or newer is needed; got " + server);
    refuse(setting(connection, "fsync").equals("off"), "fsync is off, so nothing would be durable");
    refuse(
        setting(connection, "full_page_writes").equals("off"),
        "full_page_writes is off, so a crash could damage what is stored");
    String encoding = setting(connection, "server_encoding");
    refuse(!encoding.equals("UTF8"), "the database's encoding must be UTF8; got " + encoding);
    if (setting(connection, "synchronous_standby_names").isEmpty()) {
      LOG.warn(
          "the database waits for no standby: what is acknowledged is lost with the primary's disk");
    }
    create(connection);
    Integer version =
        Sql.first(
            Sql.query(connection, "SELECT version FROM sessiontree.meta", row -> row.getInt(1)));
    refuse(
        !Objects.equals(version, VERSION),
        "the schema has version " + version + "; this server supports version " + VERSION);
  }

  private static void refuse(boolean wrong, String why) throws IOException {
    if (wrong) {
      throw new IOException(why);
    }
  }

  private static String setting(Connection connection, String name) throws SQLException {
    return Sql.first(
        Sql.query(connection, "SELECT current_setting(?)", row -> row.getString(1), name));
  }

  private static void create(Connection connection) throws SQLException, IOException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.execute("SELECT pg_advisory_xact_lock(7265377375)"); // servers may start together
      String tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'sessiontree'";
      if (Sql.query(connection, tables, row -> true).isEmpty()) {
        statement.execute(text());
        LOG.info("created the tables in schema sessiontree");
      }
      connection.commit();
    } catch (SQLException e) {
      connection.rollback();
      throw e;
    }
    connection.setAutoCommit(true);
  }

  private static String text() throws IOException {
    try (InputStream in = Schema.class.getResourceAsStream("schema.sql")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
