package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.TreeText;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.Expirable;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.log.FaultyDisk;

/**
 * Random sessions on a disk that fails and loses what was not forced: afterwards every acknowledged
 * entry must be there, once and in order, none that was refused, and nothing that was never sent.
 */
class LocalStoreFaultTest {
  private static final Path FOLDER = Path.of("store");
  private static final String WRITER = "w";
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * Limits so small that, every few messages, a buffer is spilled, a segment is sealed, a
   * checkpoint is made, and runs are merged.
   */
  private static final LocalStoreOptions SMALL =
      new LocalStoreOptions(
          3_000, 24 << 10, 4, Duration.ofMillis(1), Duration.ofMillis(20), System::nanoTime);

  private enum Outcome {
    UNKNOWN,
    STORED,
    REFUSED
  }

  /** A message that was sent, and the result that its sender was given. */
  private static final class Sent implements Reply {
    private final long number;
    private final boolean ends;
    private final List<Child> children;
    private final CompletableFuture<Outcome> results = new CompletableFuture<>();
    private volatile Outcome outcome = Outcome.UNKNOWN;
    private volatile boolean forgotten;

    Sent(long number, boolean ends, List<Child> children) {
      this.number = number;
      this.ends = ends;
      this.children = children;
    }

    @Override
    public void stored(int messages, long entries, boolean complete) {
      outcome = Outcome.STORED;
    }

    @Override
    public void refused(ProblemException problem) {
      outcome = Outcome.REFUSED;
    }

    @Override
    public void flush() {
      results.complete(forgotten ? Outcome.UNKNOWN : outcome);
    }

    /** Discards results from now on: the process is about to end, and they reach nobody. */
    void forget() {
      forgotten = true;
    }

    Outcome outcome() {
      return results.getNow(Outcome.UNKNOWN);
    }
  }

  private record Child(int timestamp, String shown) {}

  private static String shown(int timestamp, long message, String filler) {
    String of = filler.replace("x", "");
    return timestamp + " of message " + message + "/" + of + " with " + filler.length();
  }

  /** A client that sends to one session. */
  private static final class Client {
    private final String id;
    private final List<Sent> sent = new ArrayList<>();
    private long next = 1;
    private boolean ended;
    private int incarnation = 1;

    /** A deletion that was requested and has no known result yet. */
    private Sent deletion;

    Client(String id) {
      this.id = id;
    }

    Sent send(Session session, Random random, boolean end) throws ProblemException {
      StringBuilder message = new StringBuilder("[");
      if (!hasStarted()) {
        message
            .append("{\"type\":\"SESSION_START\",\"timestamp\":0,\"session_id\":\"")
            .append(id)
            .append("\"},");
      }
      List<Child> children = new ArrayList<>();
      for (int i = random.nextInt(4); i > 0; i--) {
        int timestamp = random.nextInt(6);
        String filler = incarnation + "x".repeat(random.nextInt(120));
        String members = ",\"name\":\"e\",\"message\":" + next + ",\"filler\":\"" + filler + "\"}";
        message
            .append("{\"type\":\"EVENT\",\"timestamp\":")
            .append(timestamp)
            .append(members)
            .append(',');
        children.add(new Child(timestamp, shown(timestamp, next, filler)));
      }
      if (end) {
        message
            .append("{\"type\":\"SESSION_END\",\"timestamp\":9,\"session_id\":\"")
            .append(id)
            .append("\"}");
      } else if (message.length() == 1) {
        return send(session, random, false);
      }
      byte[] bytes = message.append(']').toString().getBytes(StandardCharsets.UTF_8);
      Batch batch = MessageParser.parse(bytes, 0, bytes.length, id);
      Sent one = new Sent(next++, end, children);
      sent.add(one);
      ended |= end;
      session.submit(WRITER, false, List.of(new Message(one.number, batch, null)), one);
      return one;
    }

    void delete(Session session) {
      deletion = new Sent(0, false, List.of());
      session.delete(null, deletion);
    }

    /** Starts over if the session is gone and its requested deletion is not known to be refused. */
    void resolveDeletion(boolean gone, String where) {
      if (deletion == null) {
        return;
      }
      if (deletion.outcome() == Outcome.STORED) {
        assertThat(gone).as(where + ": " + id + " is deleted").isTrue();
      }
      if (gone && deletion.outcome() != Outcome.REFUSED) {
        sent.clear();
        next = 1;
        ended = false;
        incarnation++;
      }
      deletion = null;
    }

    /** Returns false while every message so far was refused: the next one has a SESSION_START. */
    private boolean hasStarted() {
      return sent.stream().anyMatch(one -> one.outcome() != Outcome.REFUSED);
    }

    void check(LocalStore store, String where) throws Exception {
      SessionState state = store.state(id);
      resolveDeletion(state.phase() == Phase.NEW, where);
      if (sent.isEmpty()) {
        assertThat(state.phase()).as(where + ": " + id).isEqualTo(Phase.NEW);
      }
      long last = store.open(id).lastNumber(WRITER);
      for (Sent one : sent) {
        if (one.outcome() == Outcome.STORED) {
          assertThat(one.number)
              .as(where + ": an acknowledged message of " + id)
              .isLessThanOrEqualTo(last);
        }
      }
      if (state.phase() == Phase.NEW) {
        return;
      }
      if (state.phase() == Phase.OPEN) {
        assertThat(sent)
            .as(where + ": " + id + " is open")
            .noneMatch(one -> one.ends && one.outcome() == Outcome.STORED);
        return;
      }
      checkTree(read(store), last, where);
    }

    private void checkTree(String tree, long last, String where) throws IOException {
      TreeSet<Long> present = new TreeSet<>();
      List<String> actual = new ArrayList<>();
      for (JsonNode child : JSON.readTree(tree).get("children")) {
        present.add(child.get("message").asLong());
        actual.add(
            shown(
                child.get("timestamp").asInt(),
                child.get("message").asLong(),
                child.get("filler").asText()));
      }
      List<Child> expected = new ArrayList<>();
      for (Sent one : sent) {
        boolean stored =
            one.outcome() == Outcome.STORED
                || (one.outcome() == Outcome.UNKNOWN && present.contains(one.number));
        if (stored) {
          expected.addAll(one.children);
        }
      }
      expected.sort(Comparator.comparingInt(Child::timestamp)); // a stable sort
      List<String> wanted = expected.stream().map(Child::shown).toList();
      String as = where + ": tree of " + id + ", last message " + last;
      List<String> lost = minus(wanted, actual);
      List<String> invented = minus(actual, wanted);
      assertThat(lost).as(as + ": lost").isEmpty();
      assertThat(invented).as(as + ": doubled, refused or never sent").isEmpty();
      assertThat(actual).as(as).isEqualTo(wanted);
    }

    private static List<String> minus(List<String> list, List<String> other) {
      List<String> left = new ArrayList<>(list);
      other.forEach(left::remove);
      return left;
    }

    private String read(LocalStore store) throws IOException {
      return TreeText.of(store.tree(id).orElseThrow());
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1_000_000, 2_000_000, 3_000_000})
  void acknowledgedEntries_surviveFailuresAndLossOfPower_onceAndInOrder(long firstSeed)
      throws Exception {
    for (long n = firstSeed; n < firstSeed + Long.getLong("sessiontree.seeds", 250); n++) {
      long seed = Long.getLong("sessiontree.seed", n);
      try {
        run(seed);
      } catch (Exception | AssertionError e) {
        throw new AssertionError("seed " + seed + ": " + e, e);
      }
    }
  }

  private static void run(long seed) throws Exception {
    Random random = new Random(seed);
    FaultyDisk disk = FaultyDisk.create(new Random(seed));
    List<Client> clients = new ArrayList<>();
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      clients.add(new Client("s" + i));
    }
    int lives = 2 + random.nextInt(3);
    for (int life = 0; life < lives; life++) {
      String where = "seed " + seed + ", life " + life;
      LocalStore store = LocalStore.open(disk, FOLDER, SMALL, new Metrics());
      for (Client client : clients) {
        client.check(store, where);
      }
      if (random.nextInt(4) > 0) {
        disk.failAt(random.nextInt(200), random.nextInt(5) == 0 ? random.nextInt(40) : 1);
      }
      stream(store, clients, random, 10 + random.nextInt(60));
      int end = random.nextInt(4);
      if (end > 0) {
        clients.forEach(client -> client.sent.forEach(Sent::forget));
      }
      switch (end) {
        case 0 -> {
          disk.heal();
          store.close();
        }
        case 1 -> disk = killed(store, disk.kill());
        default -> disk = killed(store, disk.losePower());
      }
    }
    finish(disk, clients, random, "seed " + seed + ", at the end");
  }

  private static FaultyDisk killed(LocalStore store, FaultyDisk next) throws IOException {
    store.close(); // ends the store's threads, which cannot write any more
    return next;
  }

  private static void stream(LocalStore store, List<Client> clients, Random random, int messages)
      throws Exception {
    Sessions sessions = new Sessions(store, Integer.MAX_VALUE, new Metrics());
    List<Session> acquired = new ArrayList<>();
    for (Client client : clients) {
      Session session = sessions.acquire(client.id);
      acquired.add(session);
      client.next = Math.max(client.next, session.lastNumber(WRITER) + 1);
    }
    for (int i = 0; i < messages; i++) {
      int which = random.nextInt(clients.size());
      Client client = clients.get(which);
      if (random.nextInt(20) == 0) {
        lookForDue(store);
      }
      if (client.deletion != null) {
        continue;
      }
      if (random.nextInt(30) == 0) {
        client.delete(acquired.get(which));
        if (random.nextInt(3) > 0) {
          Outcome outcome = client.deletion.results.get(1, TimeUnit.MINUTES);
          client.resolveDeletion(outcome == Outcome.STORED, "while it runs");
          sessions.release(acquired.get(which));
          acquired.set(which, sessions.acquire(client.id));
        }
      } else if (!client.ended
          || client.sent.stream().noneMatch(one -> one.ends && one.outcome() != Outcome.REFUSED)) {
        Sent one = client.send(acquired.get(which), random, random.nextInt(25) == 0);
        if (random.nextInt(3) == 0) {
          one.results.get(1, TimeUnit.MINUTES);
        }
      }
    }
  }

  /** Looks for sessions that are due for deletion, which forces the journal. */
  private static void lookForDue(LocalStore store) {
    try {
      assertThat(store.completeFor(Duration.ZERO, 2)).hasSizeLessThanOrEqualTo(2);
    } catch (IOException e) {
      assertThat(e).hasMessageStartingWith("injected");
    }
  }

  /** Checks that on a sound disk everything goes on, and every session can be ended and read. */
  private static void finish(FaultyDisk disk, List<Client> clients, Random random, String where)
      throws Exception {
    try (LocalStore store = LocalStore.open(disk, FOLDER, SMALL, new Metrics())) {
      Sessions sessions = new Sessions(store, Integer.MAX_VALUE, new Metrics());
      for (Client client : clients) {
        client.check(store, where);
        Phase phase = store.state(client.id).phase();
        if (phase == Phase.OPEN || phase == Phase.NEW) {
          if (phase == Phase.NEW) {
            client.sent.clear();
          }
          Session session = sessions.acquire(client.id);
          client.next = session.lastNumber(WRITER) + 1;
          client.sent.removeIf(one -> one.number >= client.next);
          Sent last = client.send(session, random, true);
          assertThat(last.results.get(1, TimeUnit.MINUTES)).as(where).isEqualTo(Outcome.STORED);
          client.check(store, where);
        }
        assertThat(store.state(client.id).phase()).as(where).isEqualTo(Phase.COMPLETE);
      }
      assertThat(store.completeFor(Duration.ZERO, 100))
          .as(where)
          .extracting(Expirable.Seen::id)
          .containsExactlyInAnyOrderElementsOf(clients.stream().map(c -> c.id).toList());
    }
  }
}
