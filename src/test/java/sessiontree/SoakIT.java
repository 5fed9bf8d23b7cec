package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.bound;
import static sessiontree.Entries.message;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that take random actions on a server with small limits, which is killed again and again.
 * Each client compares the responses with a simple model of its own sessions. {@code
 * -Dsessiontree.seed=7} sets the seed, {@code -Dsessiontree.soakSeconds=3600} the duration.
 */
class SoakIT {
  private static final int CLIENTS = 6;
  private static final int SESSIONS = 5; // of each client
  private static final long SEED = Long.getLong("sessiontree.seed", System.nanoTime());
  private static final long SECONDS = Long.getLong("sessiontree.soakSeconds", 120);
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  /** The current server, replaced after each kill. */
  private final AtomicReference<JarServer> server = new AtomicReference<>();

  private final long untilNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);

  private JarServer start() throws Exception {
    return JarServer.start(
        folder.resolve("store"),
        "--memory-bytes=65536",
        "--log-bytes=65536",
        "--inflow-bytes=65536",
        "--log-level=warn");
  }

  @Test
  void randomClients_findWhatWasAcknowledged_overKills() throws Exception {
    server.set(start());
    ExecutorService threads = Executors.newFixedThreadPool(CLIENTS);
    Random random = new Random(SEED);
    int kills = 0;
    try {
      List<Future<Integer>> clients = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        Client client = new Client("c" + i + "-", SEED + i);
        clients.add(threads.submit(client::run));
      }
      while (System.nanoTime() < untilNanos && clients.stream().noneMatch(Future::isDone)) {
        long killNanos = System.nanoTime() + random.nextInt(4_000) * 1_000_000L;
        Await.until("a while is over", () -> System.nanoTime() > killNanos);
        server.get().kill();
        server.set(start());
        kills++;
      }
      int steps = 0;
      for (Future<Integer> client : clients) {
        steps += client.get();
      }
      assertThat(steps).as("steps, seed " + SEED + ", " + kills + " kills").isGreaterThan(100);
      assertThat(server.get().terminate()).isZero();
    } finally {
      threads.shutdownNow();
      server.get().close();
    }
  }

  /** A session as its client knows it: the acknowledged entries, in the order stored. */
  private static final class Model {
    private record Child(long key, String json) {}

    private final List<Child> children = new ArrayList<>();
    private String start;
    private String end;
    private long number; // of the last message of its only writer

    boolean isNew() {
      return start == null;
    }

    long entries() {
      return children.size() + (start == null ? 0 : 1) + (end == null ? 0 : 1);
    }

    String tree() {
      List<String> sorted =
          children.stream().sorted(Comparator.comparingLong(Child::key)).map(Child::json).toList();
      return "{\"type\":\"SESSION\",\"start\":%s,\"end\":%s,\"children\":[%s]}"
          .formatted(start, end, String.join(",", sorted));
    }
  }

  private final class Client {
    private final String prefix;
    private final long seed;
    private final Random random;
    private final TreeMap<String, Model> sessions = new TreeMap<>();

    Client(String prefix, long seed) {
      this.prefix = prefix;
      this.seed = seed;
      this.random = new Random(seed);
      for (int i = 0; i < SESSIONS; i++) {
        sessions.put(prefix + i, new Model());
      }
    }

    int run() throws Exception {
      int steps = 0;
      String id = "";
      try {
        for (; System.nanoTime() < untilNanos; steps++) {
          id = prefix + random.nextInt(SESSIONS);
          step(id, sessions.get(id));
        }
        for (String each : sessions.keySet()) {
          id = each;
          look(id, sessions.get(id));
        }
        return steps;
      } catch (AssertionError | RuntimeException e) {
        String what = "seed %d, session %s, step %d; the server says: %s";
        throw new AssertionError(what.formatted(seed, id, steps, server.get().complaints()), e);
      }
    }

    private void step(String id, Model model) throws Exception {
      switch (random.nextInt(12)) {
        case 0 -> delete(id, model);
        case 1 -> look(id, model);
        case 2 -> list();
        case 3 -> refused(id, model);
        case 4, 5, 6 -> stream(id, model);
        case 7 -> {
          if (!model.isNew() && model.end == null) {
            String end = "" + random.nextInt(1_000);
            post(id, model, bound("SESSION_END", end, id));
            model.end = end;
            look(id, model);
          }
        }
        default -> {
          if (model.end == null) {
            post(id, model, entries(id, model));
          }
        }
      }
    }

    /** Returns entries for a message that the session accepts, and adds them to the model. */
    private String[] entries(String id, Model model) {
      List<String> entries = new ArrayList<>();
      if (model.isNew()) {
        model.start = "" + random.nextInt(1_000);
        entries.add(bound("SESSION_START", model.start, id));
      }
      for (int i = random.nextInt(20); i >= 0; i--) {
        int time = random.nextInt(50);
        String event =
            "{\"type\":\"EVENT\",\"timestamp\":%d,\"name\":\"e%d\",\"x\":\"%s\"}"
                .formatted(time, random.nextInt(), "x".repeat(random.nextInt(200)));
        entries.add(event);
        model.children.add(new Model.Child(time, event));
      }
      return entries.toArray(String[]::new);
    }

    /** Sends a request until the response is not 503. Message numbers make retries harmless. */
    private RawHttp ask(String requestLine, String body) throws Exception {
      AtomicReference<RawHttp> response = new AtomicReference<>();
      Await.until(
          requestLine + " is answered",
          () -> {
            try {
              response.set(RawHttp.send(server.get().port(), requestLine, "", body));
              return response.get().status() != 503;
            } catch (IOException e) {
              return false; // the server was killed
            }
          });
      return response.get();
    }

    /** Posts entries that the model has already, except an end, which the caller adds later. */
    private void post(String id, Model model, String... entries) throws Exception {
      long number = ++model.number;
      String path = "POST /sessions/" + id + "/events?writer=w&message=" + number;
      RawHttp response = ask(path, message(entries));
      assertThat(response.status()).as(response.body()).isEqualTo(200);
      boolean ends = entries[0].contains("SESSION_END");
      JsonNode json = JSON.readTree(response.body());
      assertThat(json.path("state").asText()).isEqualTo(ends ? "complete" : "open");
      assertThat(json.path("entries").asLong()).isEqualTo(model.entries() + (ends ? 1 : 0));
    }

    private void refused(String id, Model model) throws Exception {
      String event = Entries.event("1", "e");
      String[] bad = {"", "[", "[{}]", "[" + event + ",{\"type\":1}]", message(event, event) + "]"};
      RawHttp response = ask("POST /sessions/" + id + "/events", bad[random.nextInt(bad.length)]);
      assertThat(response.status()).as(response.body()).isEqualTo(400);
      look(id, model);
    }

    /** Sends messages without waiting, and resumes where the server says until all are stored. */
    private void stream(String id, Model model) throws Exception {
      if (model.end != null) {
        return;
      }
      long before = model.number;
      List<String> messages = new ArrayList<>();
      for (int i = random.nextInt(8); i >= 0; i--) {
        messages.add(message(entries(id, model)));
      }
      model.number += messages.size();
      Await.until("all are stored", () -> stream(id, model, before, messages));
    }

    /** Returns whether all messages are stored; false if either side cut the connection. */
    private boolean stream(String id, Model model, long before, List<String> messages)
        throws Exception {
      try (RawStream stream = RawStream.connect(server.get().port(), id, "writer=w")) {
        long stored = stream.next("OPEN").path("messages").asLong();
        assertThat(stored).isBetween(before, model.number);
        for (long number = stored + 1; number <= model.number; number++) {
          stream.send(messages.get((int) (number - before - 1)));
        }
        if (stored < model.number && random.nextInt(4) == 0) {
          return false;
        }
        while (stored < model.number) {
          JsonNode ack = stream.next("ACK");
          stored = ack.path("messages").asLong();
          if (stored == model.number) {
            assertThat(ack.path("entries").asLong()).isEqualTo(model.entries());
          }
        }
        return true;
      } catch (IOException e) {
        return false;
      }
    }

    private void delete(String id, Model model) throws Exception {
      RawHttp response = ask("DELETE /sessions/" + id, "");
      if (model.isNew()) {
        assertThat(response.status()).isEqualTo(404);
      } else { // 404 if the response to an earlier try was lost
        assertThat(response.status()).isIn(204, 404);
      }
      sessions.put(id, new Model());
      look(id, sessions.get(id));
    }

    private void look(String id, Model model) throws Exception {
      RawHttp response = ask("GET /sessions/" + id, "");
      if (model.end != null) {
        assertThat(response.status()).as(response.body()).isEqualTo(200);
        assertThat(response.body()).isEqualTo(model.tree());
      } else if (model.isNew()) {
        assertThat(response.status()).as(response.body()).isEqualTo(404);
      } else {
        assertThat(response.status()).as(response.body()).isEqualTo(409);
        assertThat(JSON.readTree(response.body()).path("entries").asLong())
            .isEqualTo(model.entries());
      }
    }

    /** Checks that each session of this client is listed once, with its state. */
    private void list() throws Exception {
      TreeMap<String, String> listed = new TreeMap<>();
      String next = "";
      do {
        RawHttp response = ask("GET /sessions?limit=7" + next, "");
        assertThat(response.status()).as(response.body()).isEqualTo(200);
        JsonNode page = JSON.readTree(response.body());
        for (JsonNode session : page.path("sessions")) {
          String id = session.path("session_id").asText();
          if (id.startsWith(prefix)) {
            assertThat(listed.put(id, session.path("state").asText())).as(id).isNull();
          }
        }
        next = page.has("next") ? "&cursor=" + page.path("next").asText() : null;
      } while (next != null);
      TreeMap<String, String> expected = new TreeMap<>();
      sessions.forEach(
          (id, model) -> {
            if (!model.isNew()) {
              expected.put(id, model.end == null ? "open" : "complete");
            }
          });
      assertThat(listed).isEqualTo(expected);
    }
  }
}
