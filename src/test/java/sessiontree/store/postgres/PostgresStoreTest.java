package sessiontree.store.postgres;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.PostgresServers;
import sessiontree.metrics.Metrics;
import sessiontree.store.SessionStoreContract;

/** The store in PostgreSQL keeps the contract. */
class PostgresStoreTest extends SessionStoreContract<PostgresStore> {
  private static PostgresServers servers;

  @TempDir private Path folder;

  @BeforeAll
  static void startServer() throws Exception {
    servers = PostgresServers.shared();
    servers.database("contract");
  }

  @Override
  protected PostgresStore openStore() throws IOException {
    try {
      servers.sql(0, "contract", "DROP SCHEMA IF EXISTS sessiontree CASCADE");
    } catch (SQLException e) {
      throw new IOException(e);
    }
    PostgresStore.Options options =
        new PostgresStore.Options(1 << 20, 1 << 16, folder, 60_000, 200, 5_000, 0);
    return PostgresStore.open(servers.uri("contract"), null, options, new Metrics());
  }
}
