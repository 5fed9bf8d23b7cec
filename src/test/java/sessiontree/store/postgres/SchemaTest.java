package sessiontree.store.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.sql.SQLException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.Await;
import sessiontree.PostgresServers;
import sessiontree.metrics.Metrics;

/** A database that cannot keep the promises is refused, and no message shows the password. */
class SchemaTest {
  private static PostgresServers servers;

  @BeforeAll
  static void startServer() throws Exception {
    servers = PostgresServers.shared();
  }

  private static void open(String uri, String password) throws IOException {
    PostgresStore.open(uri, password, PostgresStore.Options.of(1 << 24), new Metrics()).close();
  }

  @Test
  void tables_areMadeOnce_alsoByServersThatStartTogether() throws Exception {
    String uri = servers.database("together");
    Thread[] threads = new Thread[3];
    IOException[] failures = new IOException[threads.length];
    for (int i = 0; i < threads.length; i++) {
      int number = i;
      threads[i] =
          new Thread(
              () -> {
                try {
                  open(uri, null);
                } catch (IOException e) {
                  failures[number] = e;
                }
              });
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(failures).containsOnlyNulls();
    assertThat(servers.sql(0, "together", "SELECT count(*) FROM sessiontree.meta")).isEqualTo("1");
  }

  @Test
  void tablesOfAnotherVersion_areRefused() throws Exception {
    String uri = servers.database("versions");
    open(uri, null);
    servers.sql(0, "versions", "UPDATE sessiontree.meta SET version = 2");
    assertThatIOException()
        .isThrownBy(() -> open(uri, null))
        .withMessage("the schema has version 2; this server supports version 1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fsync", "full_page_writes"})
  void databaseThatLosesWhatItCommitted_isRefused(String setting) throws Exception {
    String uri = servers.database("unsafe");
    set(setting, "off");
    try {
      assertThatIOException().isThrownBy(() -> open(uri, null)).withMessageContaining(setting);
    } finally {
      set(setting, "on");
    }
  }

  private static void set(String setting, String value) throws Exception {
    servers.sql(0, "ALTER SYSTEM SET " + setting + " = " + value);
    servers.sql(0, "SELECT pg_reload_conf()");
    Await.until(setting, () -> servers.sql(0, "SHOW " + setting).equals(value));
  }

  @Test
  void otherEncoding_isRefused() throws Exception {
    servers.sql(0, "DROP DATABASE IF EXISTS ascii");
    servers.sql(0, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0");
    assertThatIOException()
        .isThrownBy(() -> open(servers.uri("ascii"), null))
        .withMessageContaining("UTF8");
  }

  @Test
  void failures_doNotShowThePassword() throws SQLException {
    String secret = "s3cret";
    String given = "postgresql://app:" + secret + "@127.0.0.1:1/db?connectTimeout=1";
    assertThatIOException()
        .isThrownBy(() -> open(given, null))
        .satisfies(e -> assertThat(e.toString()).doesNotContain(secret));
    String uri = servers.uri("missing").replace("app@", "nobody:" + secret + "@");
    assertThatIOException()
        .isThrownBy(() -> open(uri, null))
        .satisfies(e -> assertThat(e.toString()).doesNotContain(secret));
    assertThat(PostgresStore.withoutPassword(given)).isEqualTo("postgresql://127.0.0.1:1/db");
    for (String wrong : new String[] {"postgresql://app:" + secret, "postgres:" + secret}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> PostgresStore.check(wrong))
          .satisfies(e -> assertThat(e.getMessage()).doesNotContain(secret));
    }
  }

  @Test
  void userAndPassword_areDecoded_andThatOfTheEnvironmentCounts() {
    StoreUri uri = StoreUri.parse("postgresql://a%40b:p%3A+%2F@h1:1,h2/db?sslmode=require", null);
    assertThat(uri.user()).isEqualTo("a@b");
    assertThat(uri.password()).isEqualTo("p:+/");
    assertThat(uri.url()).isEqualTo("jdbc:postgresql://h1:1,h2/db?sslmode=require");
    assertThat(StoreUri.parse("postgresql://a:p@h/db", "other").password()).isEqualTo("other");
  }
}
