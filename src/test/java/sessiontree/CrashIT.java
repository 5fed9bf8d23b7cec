package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kills the server again and again, under clients that resume where OPEN says they were. At the
 * end, everything that they sent must be stored exactly once.
 */
class CrashIT {
  private static final int ROUNDS = 20;
  private static final int MAX_ROUND_MILLIS = 500;
  private static final int MAX_ENTRIES = 20;
  private static final int MAX_UNANSWERED = 32;
  private static final int DEADLINE_SECONDS = 60;

  /** Each client's session; the last two clients share one. */
  private static final List<String> SESSIONS =
      List.of("s0", "s1", "s2", "s3", "s4", "s5", "shared", "shared");

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  private final Listening listening = new Listening();
  private final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();

  /** When set, clients begin no new messages. */
  private volatile boolean ending;

  /** The port of the running server, if any. Thread-safe. */
  private static final class Listening {
    private int port; // 0 while no server runs; guarded by this

    synchronized void at(int port) {
      this.port = port;
      notifyAll();
    }

    synchronized int await() throws InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
      while (port == 0) {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0) {
          throw new AssertionError("no server runs");
        }
        wait(left);
      }
      return port;
    }
  }

  private record Entry(String timestamp, String id) {
    BigDecimal seconds() {
      return new BigDecimal(timestamp);
    }
  }

  /** A client, its messages, and the thread that runs it. */
  private final class Client implements Runnable {
    private final String session;
    private final String writer;
    private final Random random;
    private final List<String> messages = new ArrayList<>();
    private final List<Entry> sent = new ArrayList<>();
    private final Thread thread;
    private int acknowledged;
    private int connections;

    Client(int number, long seed) {
      session = SESSIONS.get(number);
      writer = "w" + number;
      random = new Random(seed);
      thread = new Thread(this, writer);
      thread.setDaemon(true);
    }

    @Override
    public void run() {
      try {
        boolean done = false;
        while (!done) {
          done = streamed(listening.await());
        }
      } catch (Throwable e) {
        failures.add(new AssertionError(this + " failed", e));
      }
    }

    /** Continues the session; returns true when all is acknowledged, false when cut off. */
    private boolean streamed(int port) throws InterruptedException {
      try (StreamClient stream = StreamClient.connect(port, session, writer)) {
        int stored = stream.next("OPEN").path("messages").asInt();
        connections++;
        assertThat(stored).as("stored of " + this).isBetween(acknowledged, messages.size());
        acknowledged = stored;
        int next = stored;
        while (true) {
          while (next - acknowledged < MAX_UNANSWERED && (next < messages.size() || !ending)) {
            if (next == messages.size()) {
              messages.add(newMessage());
            }
            stream.send(messages.get(next++));
          }
          if (acknowledged == messages.size()) {
            return true;
          }
          int result = stream.next("ACK").path("messages").asInt();
          assertThat(result).as("ACK to " + this).isBetween(acknowledged + 1, next);
          acknowledged = result;
        }
      } catch (IOException e) { // the server was killed
        return false;
      }
    }

    private String newMessage() {
      List<String> entries = new ArrayList<>();
      if (messages.isEmpty()) {
        entries.add(start(session));
      }
      int count = 1 + random.nextInt(MAX_ENTRIES);
      for (int i = 0; i < count; i++) {
        int seconds = random.nextInt(200);
        String timestamp = random.nextBoolean() ? "" + seconds : seconds + "." + random.nextInt(30);
        Entry entry = new Entry(timestamp, writer + "-" + messages.size() + "-" + i);
        sent.add(entry);
        entries.add(
            "{\"id\":\"%s\",\"timestamp\":%s,\"name\":\"n\",\"type\":\"EVENT\"}"
                .formatted(entry.id, timestamp));
      }
      return message(entries.toArray(String[]::new));
    }

    @Override
    public String toString() {
      return "%s of session %s, %d messages, %d of them acknowledged, %d connections"
          .formatted(writer, session, messages.size(), acknowledged, connections);
    }
  }

  /** A client that posts whole sessions one by one, and retries each until it is acknowledged. */
  private final class Poster implements Runnable {
    private final String prefix;
    private final Thread thread;
    private int complete;

    Poster(int number) {
      prefix = "p" + number + "-";
      thread = new Thread(this, prefix);
      thread.setDaemon(true);
    }

    String session(int number) {
      return prefix + number;
    }

    @Override
    public void run() {
      try {
        while (!ending) {
          post(session(complete));
        }
      } catch (Throwable e) {
        failures.add(new AssertionError(prefix + complete + " failed", e));
      }
    }

    private void post(String id) throws InterruptedException {
      String path = "/sessions/" + id + "/events?writer=w&message=1";
      String whole = message(start(id), event("2", "b"), event("1", id), end(id));
      try {
        RawHttp response = RawHttp.post(listening.await(), path, whole);
        assertThat(response.body()).contains("\"state\":\"complete\",\"entries\":4");
        complete++;
      } catch (IOException e) {
        // The server was killed, perhaps after storing the session, which is sent again.
      }
    }
  }

  /** With default limits, and with ones that cause spills, checkpoints and merges all the time. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--memory-bytes=65536 --log-bytes=65536"})
  void killedTwentyTimesWhileClientsStream_nothingAcknowledgedIsLost_andNothingIsDoubled(
      String limits) throws Exception {
    flags = limits.isEmpty() ? new String[0] : limits.split(" ");
    long seed = System.nanoTime();
    Random random = new Random(seed);
    List<Client> clients = new ArrayList<>();
    for (int i = 0; i < SESSIONS.size(); i++) {
      clients.add(new Client(i, random.nextLong()));
    }
    List<Thread> threads = clients.stream().map(client -> client.thread).toList();
    try {
      killUnder(threads, random, ROUNDS);
      try (JarServer server = lastServer(threads)) {
        for (String session : SESSIONS.stream().distinct().toList()) {
          List<Client> writers =
              clients.stream().filter(client -> client.session.equals(session)).toList();
          complete(server, session, writers);
          assertTreeHoldsWhatWasSent(server, session, writers);
        }
      }
    } catch (Throwable e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  @Test
  void killedTenTimesWhileSessionsEnd_everyCompleteSessionKeepsItsTree() throws Exception {
    long seed = System.nanoTime();
    List<Poster> posters = IntStream.range(0, 4).mapToObj(Poster::new).toList();
    List<Thread> threads = posters.stream().map(poster -> poster.thread).toList();
    try {
      killUnder(threads, new Random(seed), ROUNDS / 2);
      try (JarServer server = lastServer(threads)) {
        for (Poster poster : posters) {
          assertThat(poster.complete).isPositive();
          for (int i = 0; i < poster.complete; i++) {
            String id = poster.session(i);
            assertThat(RawHttp.get(server.port(), "/sessions/" + id).body())
                .isEqualTo(tree(event("1", id), event("2", "b")));
          }
        }
      }
    } catch (Throwable e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  private String[] flags = {};

  private void killUnder(List<Thread> clients, Random random, int rounds) throws Exception {
    clients.forEach(Thread::start);
    for (int round = 0; round < rounds; round++) {
      try (JarServer server = JarServer.start(folder.resolve("store"), flags)) {
        listening.at(server.port());
        failOn(failures.poll(random.nextInt(MAX_ROUND_MILLIS), TimeUnit.MILLISECONDS), server);
        listening.at(0);
        server.kill();
      }
    }
  }

  /** Starts the server once more, and returns it when all clients have ended. */
  private JarServer lastServer(List<Thread> clients) throws Exception {
    ending = true;
    JarServer server = JarServer.start(folder.resolve("store"), flags);
    listening.at(server.port());
    for (Thread client : clients) {
      client.join(TimeUnit.SECONDS.toMillis(DEADLINE_SECONDS));
      if (!failures.isEmpty() || client.isAlive()) {
        server.close();
      }
      failOn(failures.poll(), server);
      assertThat(client.isAlive()).as(client.getName()).isFalse();
    }
    return server;
  }

  private static void failOn(Throwable failure, JarServer server) {
    if (failure != null) {
      throw new AssertionError("the server said:\n" + server.errors(), failure);
    }
  }

  private static void complete(JarServer server, String session, List<Client> writers)
      throws Exception {
    int entries = 2;
    for (Client client : writers) {
      entries += client.sent.size();
    }
    try (StreamClient stream = StreamClient.connect(server.port(), session)) {
      assertThat(stream.next("OPEN").path("entries").asInt()).as(session).isEqualTo(entries - 1);
      stream.send(message(end(session)));
      assertThat(stream.complete().path("entries").asInt()).as(session).isEqualTo(entries);
    }
  }

  /** Ignores the order of equal timestamps from different writers, as it is undefined. */
  private static void assertTreeHoldsWhatWasSent(
      JarServer server, String session, List<Client> writers) throws IOException {
    List<Entry> children = new ArrayList<>();
    String tree = RawHttp.get(server.port(), "/sessions/" + session).body();
    for (JsonNode child : JSON.readTree(tree).path("children")) {
      children.add(new Entry(child.path("timestamp").asText(), child.path("id").asText()));
    }
    assertThat(children).as(session).isSortedAccordingTo(Comparator.comparing(Entry::seconds));
    int sent = 0;
    for (Client client : writers) {
      List<Entry> expected = new ArrayList<>(client.sent);
      expected.sort(Comparator.comparing(Entry::seconds)); // stable
      List<String> actualIds =
          children.stream()
              .map(Entry::id)
              .filter(id -> id.startsWith(client.writer + "-"))
              .toList();
      assertThat(client.sent).as(client.toString()).isNotEmpty();
      assertThat(actualIds.equals(expected.stream().map(Entry::id).toList()))
          .as("%s: %d of %d entries", client, actualIds.size(), expected.size())
          .isTrue();
      sent += expected.size();
    }
    assertThat(children).as(session).hasSize(sent);
  }
}
