package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills the server under clients that begin, continue, end and delete sessions with a few ids. Then
 * each session must be as acknowledged, with or without the one request that was in flight.
 */
class DeletionCrashIT {
  private static final int ROUNDS = 8;
  private static final int IDS = 20;
  private static final int CLIENTS = 4;
  private static final int MAX_REQUESTS = 600; // per round
  private static final int EVENT_BYTES = 500;

  @TempDir private Path folder;

  /** The state of a session: whether it is stored, its events, and whether it is complete. */
  private record Stored(boolean exists, List<String> events, boolean complete) {
    static final Stored NOTHING = new Stored(false, List.of(), false);

    static Stored begun() {
      return new Stored(true, List.of(), false);
    }

    Stored with(String event) {
      List<String> more = new ArrayList<>(events);
      more.add(event);
      return new Stored(true, more, false);
    }

    Stored ended() {
      return new Stored(true, events, true);
    }
  }

  private final Stored[] acknowledged = new Stored[IDS];
  private final Stored[] underWay = new Stored[IDS]; // if the request in flight took effect
  private final AtomicInteger requests = new AtomicInteger();

  private static String id(int session) {
    return "s" + session;
  }

  private static RawHttp post(JarServer server, int session, String entry) throws IOException {
    return RawHttp.post(server.port(), "/sessions/" + id(session) + "/events", message(entry));
  }

  /** Requests random changes of one client's sessions, until the server is gone. */
  private Void change(JarServer server, int client, Random random, int kill) throws Exception {
    try {
      for (int request; (request = requests.incrementAndGet()) > 0; ) {
        if (request == kill) {
          server.kill();
          return null;
        }
        int session = client + CLIENTS * random.nextInt(IDS / CLIENTS);
        Stored before = acknowledged[session];
        RawHttp response;
        if (before.exists() && random.nextInt(4) == 0) {
          underWay[session] = Stored.NOTHING;
          response = RawHttp.send(server.port(), "DELETE /sessions/" + id(session), "", "");
        } else if (before.complete()) {
          continue;
        } else if (!before.exists()) {
          underWay[session] = Stored.begun();
          response = post(server, session, start(id(session)));
        } else if (random.nextInt(4) == 0) {
          underWay[session] = before.ended();
          response = post(server, session, end(id(session)));
        } else {
          String name = request + "-" + random.nextInt(1000) + "x".repeat(EVENT_BYTES);
          String event = event("" + before.events().size(), name);
          underWay[session] = before.with(event);
          response = post(server, session, event);
        }
        assertThat(response.status()).as(response + " to " + id(session)).isIn(200, 204);
        acknowledged[session] = underWay[session];
      }
    } catch (IOException e) { // the server was killed
      return null;
    }
    return null;
  }

  /** Returns the session's state as the server shows it, in the oracle's terms. */
  private static Stored read(JarServer server, int session, Stored expected) throws Exception {
    RawHttp response = RawHttp.get(server.port(), "/sessions/" + id(session));
    return switch (response.status()) {
      case 404 -> Stored.NOTHING;
      case 409 ->
          response.body().contains("\"entries\":" + (1 + expected.events().size()) + "}")
              ? new Stored(true, expected.events(), false)
              : new Stored(true, List.of(response.body()), false);
      case 200 ->
          response.body().equals(tree(expected.events().toArray(String[]::new)))
              ? new Stored(true, expected.events(), true)
              : new Stored(true, List.of(response.body()), true);
      default -> throw new AssertionError(response.toString());
    };
  }

  @Test
  void everySession_isWhatWasAcknowledged_afterEachOfManyKills() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    Arrays.fill(acknowledged, Stored.NOTHING);
    Arrays.fill(underWay, Stored.NOTHING);
    ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
    try {
      for (int round = 0; round <= ROUNDS; round++) {
        try (JarServer server =
            JarServer.start(folder.resolve("store"), "--memory-bytes=65536", "--log-bytes=65536")) {
          for (int i = 0; i < IDS; i++) {
            assertIsKnown(server, i, "seed " + seed + ", round " + round + ", " + id(i));
          }
          if (round == ROUNDS) {
            endAll(server, seed);
            return;
          }
          requests.set(0);
          int kill = CLIENTS + random.nextInt(MAX_REQUESTS);
          List<Future<Void>> changes = new ArrayList<>();
          for (int c = 0; c < CLIENTS; c++) {
            int client = c;
            Random own = new Random(random.nextLong());
            changes.add(clients.submit(() -> change(server, client, own, kill)));
          }
          for (Future<Void> change : changes) {
            change.get();
          }
        }
      }
    } finally {
      clients.shutdownNow();
    }
  }

  private void assertIsKnown(JarServer server, int session, String what) throws Exception {
    Stored known = acknowledged[session];
    if (!read(server, session, known).equals(known)) {
      Stored other = underWay[session];
      assertThat(read(server, session, other)).as("%s, not %s", what, known).isEqualTo(other);
      acknowledged[session] = other;
    }
    underWay[session] = acknowledged[session];
  }

  /** Ends all sessions to compare their events: an open session shows only their number. */
  private void endAll(JarServer server, long seed) throws Exception {
    for (int i = 0; i < IDS; i++) {
      if (acknowledged[i].exists() && !acknowledged[i].complete()) {
        assertThat(post(server, i, end(id(i))).status()).isEqualTo(200);
        acknowledged[i] = acknowledged[i].ended();
      }
      assertThat(read(server, i, acknowledged[i])).as("seed " + seed).isEqualTo(acknowledged[i]);
    }
  }
}
