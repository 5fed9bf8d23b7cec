package sessiontree.store.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.CuttingProxy;
import sessiontree.PostgresServers;
import sessiontree.TreeText;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;

/**
 * Two servers write to the same sessions while their connections to the database are cut at random:
 * acknowledged messages are stored once, refused ones never, and those of unknown result at most
 * once. {@code -Dsessiontree.seeds} sets the number of seeds.
 */
class LaneFaultTest {
  private static final int SESSIONS = 6;
  private static final int MESSAGES = 25;
  private static final int CUTS = 60;
  private static final int ATTEMPTS = 600;
  private static final Pattern NAME = Pattern.compile("\"name\":\"([^\"]*)\"");
  private static PostgresServers servers;

  @TempDir private Path folder;

  @BeforeAll
  static void startServer() throws Exception {
    servers = PostgresServers.shared();
    servers.database("faults");
  }

  static LongStream seeds() {
    return new Random().longs(Integer.getInteger("sessiontree.seeds", 6));
  }

  private enum Fate {
    STORED,
    REFUSED,
    UNKNOWN
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void appends_areStoredOnceOrRefused_whereverConnectionsAreCut(long seed) throws Exception {
    Random random = new Random(seed);
    try (CuttingProxy proxy = new CuttingProxy(servers.port(0), seed)) {
      String uri = "postgresql://app@127.0.0.1:" + proxy.port() + "/faults";
      PostgresStore.Options options =
          new PostgresStore.Options(1 << 20, 1 << 16, folder, 500, 100, 30_000, 0);
      List<PostgresStore> stores = new ArrayList<>();
      List<Sessions> nodes = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        PostgresStore store = PostgresStore.open(uri, null, options, new Metrics());
        Sessions sessions = new Sessions(store, Integer.MAX_VALUE, new Metrics());
        store.follow(sessions::watched, sessions::changed);
        stores.add(store);
        nodes.add(sessions);
      }
      String prefix = Long.toUnsignedString(seed, 36) + "-";
      for (int s = 0; s < SESSIONS; s++) {
        assertThat(until(nodes.get(0), prefix + s, null, 0, message(start(1)))).isNotNull();
      }
      proxy.cut(15 + random.nextInt(40), CUTS);
      ExecutorService threads = Executors.newCachedThreadPool();
      List<Future<List<Fate>>> fates = new ArrayList<>();
      try {
        for (int s = 0; s < SESSIONS; s++) {
          for (int node = 0; node < 2; node++) {
            String id = prefix + s;
            int of = node;
            fates.add(threads.submit(() -> write(nodes.get(of), id, "n" + of)));
          }
        }
        for (Future<List<Fate>> one : fates) {
          one.get();
        }
      } finally {
        proxy.cut(1, 0);
        threads.shutdownNow();
      }
      for (int s = 0; s < SESSIONS; s++) {
        String id = prefix + s;
        until(nodes.get(s % 2), id, "end", 1, message(end(9)));
        String tree = TreeText.of(stores.get(0).tree(id).orElseThrow());
        for (int node = 0; node < 2; node++) {
          check(seed, "n" + node, names(tree), fates.get(2 * s + node).get());
        }
      }
      for (PostgresStore store : stores) {
        store.close();
      }
      System.out.println("seed " + seed + ": " + proxy.cuts() + " cuts");
    }
  }

  /** Sends a message until it is acknowledged, as a named writer does. */
  private static Fate until(Sessions node, String id, String writer, long number, Batch batch)
      throws Exception {
    for (int i = 0; i < ATTEMPTS; i++) {
      Fate fate = send(node, id, writer, number, batch);
      if (fate == Fate.STORED) {
        return fate;
      }
      TimeUnit.MILLISECONDS.sleep(200);
    }
    throw new AssertionError("not stored: " + id);
  }

  /** Sends messages; every second one has a number and is sent until it is acknowledged. */
  private static List<Fate> write(Sessions node, String id, String name) throws Exception {
    List<Fate> fates = new ArrayList<>();
    long number = 0;
    for (int i = 0; i < MESSAGES; i++) {
      Batch batch = message(event(i, name + "." + i));
      fates.add(
          i % 2 == 0 ? until(node, id, name, ++number, batch) : send(node, id, null, 0, batch));
    }
    return fates;
  }

  private static Fate send(Sessions node, String id, String writer, long number, Batch batch)
      throws Exception {
    Session session;
    try {
      session = node.acquire(id);
    } catch (IOException e) {
      return Fate.REFUSED;
    }
    CompletableFuture<Fate> fate = new CompletableFuture<>();
    session.submit(
        writer,
        true,
        List.of(new Message(number, batch, null)),
        new Reply() {
          @Override
          public void stored(int messages, long entries, boolean complete) {
            fate.complete(Fate.STORED);
          }

          @Override
          public void refused(ProblemException problem) {
            fate.complete(Fate.REFUSED);
          }

          @Override
          public void unknown(ProblemException problem) {
            fate.complete(Fate.UNKNOWN);
          }

          @Override
          public void flush() {}
        });
    Fate results = fate.get(60, TimeUnit.SECONDS);
    node.release(session);
    return results;
  }

  private static List<String> names(String tree) {
    List<String> names = new ArrayList<>();
    for (Matcher name = NAME.matcher(tree); name.find(); ) {
      names.add(name.group(1));
    }
    return names;
  }

  private static void check(long seed, String writer, List<String> names, List<Fate> fates) {
    Set<String> once = new HashSet<>();
    for (String name : names) {
      assertThat(once.add(name)).as("seed %d: %s is there once", seed, name).isTrue();
    }
    for (int i = 0; i < fates.size(); i++) {
      String name = writer + "." + i;
      if (fates.get(i) != Fate.UNKNOWN) {
        assertThat(once.contains(name))
            .as("seed %d: %s was %s", seed, name, fates.get(i))
            .isEqualTo(fates.get(i) == Fate.STORED);
      }
    }
  }
}
