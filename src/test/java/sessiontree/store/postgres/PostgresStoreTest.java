package sessiontree.store.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.Await;
import sessiontree.Messages;
import sessiontree.PostgresServers;
import sessiontree.Watching;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.Appender;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStoreContract;
import sessiontree.store.Tree;

/** The PostgreSQL store keeps the contract. */
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
    return openServer();
  }

  /** Opens the store of another server, on the same database. */
  private PostgresStore openServer() throws IOException {
    PostgresStore.Options options =
        new PostgresStore.Options(1 << 20, 1 << 16, folder, 60_000, 200, 5_000, 0);
    return PostgresStore.open(servers.uri("contract"), null, options, new Metrics());
  }

  @Test
  void appendOfAnotherServer_isSeen_whileNotificationsOfOtherSessionsKeepComing() throws Exception {
    Appender here = appender("a");
    here.append(message(start(1))).assertStored();
    Set<String> changed = ConcurrentHashMap.newKeySet();
    AtomicInteger looks = new AtomicInteger();
    store.follow(
        () -> {
          looks.incrementAndGet();
          return List.of(here.session());
        },
        changed::add);
    ScheduledExecutorService notifier = Executors.newSingleThreadScheduledExecutor();
    try {
      notifier.scheduleWithFixedDelay(this::notifyOfAnotherSession, 0, 10, TimeUnit.MILLISECONDS);
      Await.until("notifications come", () -> looks.get() > 10);
      appender("a").append(message(event(2, "x"))).assertStored(); // by a handle that here ignores
      Await.until("the append is seen", () -> changed.contains("a"));
    } finally {
      notifier.shutdownNow();
    }
  }

  private void notifyOfAnotherSession() {
    try {
      servers.sql(0, "contract", "SELECT pg_notify('sessiontree', 'other')");
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /** There is memory for four parts of trees. */
  @Test
  void largeTree_isReadByMoreReadersThanCanKeepItsParts() throws Exception {
    List<String> names = Stream.of("a", "b", "c").map(name -> name.repeat(200_000)).toList();
    Appender session = appender("a");
    session.append(message(start(1))).assertStored();
    for (String name : names) {
      session.append(message(event(2, name))).assertStored();
    }
    session.append(message(end(3))).assertStored();
    for (int round = 0; round < 2; round++) {
      List<Tree> trees = new ArrayList<>();
      List<ByteBuffer> read = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        trees.add(store.tree("a").orElseThrow());
        read.add(ByteBuffer.allocate((int) trees.get(i).bytes()));
      }
      while (read.get(5).hasRemaining()) {
        for (int i = 0; i < 6; i++) {
          ByteBuffer all = read.get(i);
          ByteBuffer piece = all.slice(all.position(), Math.min(16_000, all.remaining()));
          all.position(all.position() + trees.get(i).read(piece, all.position()));
        }
      }
      for (int i = 0; i < 6; i++) {
        String tree = new String(read.get(i).array(), StandardCharsets.UTF_8);
        assertThat(tree).isEqualTo(new String(read.get(0).array(), StandardCharsets.UTF_8));
        assertThat(tree).startsWith("{\"type\":\"SESSION\"").contains(names).endsWith("]}");
        trees.get(i).close();
      }
    }
  }

  @Test
  void sessionWhoseEntriesAreDamaged_holdsUpNoOther_andCanBeDeleted() throws Exception {
    Appender damaged = appender("damaged");
    damaged.append(message(start(1), event(2, "x"))).assertStored();
    servers.sql(0, "contract", "UPDATE sessiontree.entry SET children = '\\x00'");
    RecordedResult ending = damaged.append(message(end(3)));

    List<RecordedResult> others = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      others.add(appender("s" + i).append(message(start(1), event(2, "x"), end(3))));
    }
    for (RecordedResult other : others) {
      other.assertStored();
    }
    assertThat(store.state("damaged").phase()).isEqualTo(Phase.ENDED);
    assertThat(store.tree("s49")).isPresent();

    damaged.delete().assertStored();
    ending.assertNoTree();
    assertThat(store.state("damaged")).isEqualTo(SessionState.NEW);
  }

  @Test
  void manyDamagedSessions_holdUpNeitherSmallNorLargeOnes() throws Exception {
    List<Appender> damaged = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      damaged.add(appender("damaged" + i));
      damaged.get(i).append(message(start(1), event(2, "x"))).assertStored();
    }
    servers.sql(0, "contract", "DELETE FROM sessiontree.entry WHERE born % 2 = 0");
    servers.sql(0, "contract", "UPDATE sessiontree.entry SET children = '\\x00'");
    for (Appender one : damaged) {
      one.append(message(end(3)));
    }
    String name = "x".repeat(1 << 16);
    RecordedResult large = appender("large").append(message(start(1), event(2, name), end(3)));
    RecordedResult small = appender("small").append(message(start(1), event(2, "x"), end(3)));
    small.assertStored();
    large.assertStored();
    assertThat(store.state("damaged99").phase()).isEqualTo(Phase.ENDED);
  }

  @Test
  void largeSession_doesNotWaitForDamagedOnes_whoseRetriesTakeLong() throws Exception {
    List<Appender> damaged = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      damaged.add(appender("damaged" + i));
      damaged.get(i).append(message(start(1), event(2, "x"))).assertStored();
    }
    servers.sql(0, "contract", "UPDATE sessiontree.session SET bytes = 1000000"); // large
    servers.sql(0, "contract", "UPDATE sessiontree.entry SET children = '\\x00'");
    List<RecordedResult> endings = new ArrayList<>();
    damaged.forEach(one -> endings.add(one.append(message(end(3)))));
    for (RecordedResult ending : endings) {
      ending.assertNoTree();
    }
    String name = "x".repeat(1 << 16);
    complete("first", message(start(1), event(2, name), end(3))); // after each has failed once
    servers.sql(
        0,
        "contract",
        "ALTER TABLE sessiontree.entry RENAME TO stored; CREATE VIEW sessiontree.entry AS SELECT *"
            + " FROM sessiontree.stored WHERE children <> '\\x00' OR pg_sleep(0.5) IS NOT NULL");
    String sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    Await.until("retries take long", () -> servers.sql(0, "contract", sleeping).equals("1"));
    complete("large", message(start(1), event(2, name), end(3)));
  }

  @Test
  void sessionWhoseEntriesAreMissing_isReportedAsDamaged_onEveryServer() throws Exception {
    Appender damaged = appender("damaged");
    damaged.append(message(start(1), event(2, "x"))).assertStored();
    servers.sql(0, "contract", "DELETE FROM sessiontree.entry");
    try (PostgresStore there = openServer()) {
      Sessions sessions = new Sessions(there, Integer.MAX_VALUE, new Metrics());
      there.follow(sessions::watched, sessions::changed);
      CompletableFuture<Void> reported = new CompletableFuture<>();
      sessions.acquire("damaged").watch(Watching.damage(() -> reported.complete(null)));
      damaged.append(message(end(3))).assertNoTree();
      reported.get(30, TimeUnit.SECONDS);
    }
    damaged.append(null).assertNoTree();
    assertThat(damaged.session().resume().phase()).isEqualTo(Phase.DAMAGED);
    damaged.delete().assertStored();
    assertThat(store.state("damaged")).isEqualTo(SessionState.NEW);
  }

  @Test
  void sessionWhoseEntriesAreMissing_isRetried_andHoldsUpNoOther() throws Exception {
    Appender damaged = appender("damaged");
    damaged.append(message(start(1), event(2, "x"))).assertStored();
    servers.sql(0, "contract", "ALTER TABLE sessiontree.entry RENAME TO hidden");
    servers.sql(0, "contract", "CREATE TABLE sessiontree.entry (LIKE sessiontree.hidden)");
    RecordedResult ending = damaged.append(message(end(3)));
    appender("other").append(message(start(1), event(2, "x"), end(3))).assertStored();
    ending.assertNoTree();
    assertThat(store.state("damaged").phase()).isEqualTo(Phase.ENDED);

    servers.sql(0, "contract", "INSERT INTO sessiontree.entry SELECT * FROM sessiontree.hidden");
    Await.until( // long before the next round of upkeep
        "the tree is made", () -> store.state("damaged").phase() == Phase.COMPLETE);
    assertThat(tree("damaged")).isEqualTo(Messages.tree(1, 3, List.of(event(2, "x"))));
  }
}
