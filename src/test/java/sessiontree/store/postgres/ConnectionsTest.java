package sessiontree.store.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import sessiontree.PostgresServers;

/** Readers share connections, and do not all wait for a database that is down. */
class ConnectionsTest {
  @Test
  void readers_goOnAtOnce_whenAnotherOwnerHasConnected() throws Exception {
    PostgresServers servers = PostgresServers.shared();
    servers.sql(0, "DROP DATABASE IF EXISTS later WITH (FORCE)");
    try (Connections connections = new Connections(StoreUri.parse(servers.uri("later"), null))) {
      assertThatThrownBy(() -> connections.run(connection -> "read"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("does not exist");
      servers.database("later");
      Connections.close(connections.connect());
      String read = connections.run(connection -> "read");
      assertThat(read).isEqualTo("read");
    }
  }
}
