package sessiontree.session;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import sessiontree.TreeText;
import sessiontree.Watching;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;

/** Several nodes that write to the same sessions, in one store. */
class SharedSessionTest {
  private static final Batch START = message(start(100));
  private static final Batch END = message(end(900));

  private final List<String> results = new ArrayList<>();
  private ConflictingStore store = new ConflictingStore(new Random(1), false);
  private Sessions here = sessions();
  private Sessions there = sessions();

  private Sessions sessions() {
    return new Sessions(store.node(), Integer.MAX_VALUE, new Metrics());
  }

  @AfterEach
  void close() {
    store.truth().close();
  }

  private final class RecordedReply implements Reply {
    private final String label;

    RecordedReply(String label) {
      this.label = label;
    }

    @Override
    public void stored(int messages, long entries, boolean complete) {
      results.add(label + ": " + (complete ? "complete " : "stored ") + messages + ", " + entries);
    }

    @Override
    public void refused(ProblemException problem) {
      results.add(label + ": " + problem.problem().code());
    }

    @Override
    public void flush() {}
  }

  private void submit(Session session, String label, String writer, long number, Batch... batches) {
    List<Message> messages = new ArrayList<>();
    for (Batch batch : batches) {
      messages.add(new Message(number + messages.size(), batch, null));
    }
    session.submit(writer, true, messages, new RecordedReply(label));
  }

  private void runAll() {
    while (store.step()) {}
  }

  @Test
  void messages_thatAnotherNodeWasBefore_areCheckedAgainInTheirOrder() throws Exception {
    Session one = here.acquire("s");
    submit(there.acquire("s"), "there", "w", 1, START, message(event(101, "a")));
    runAll();
    results.clear();
    submit(one, "known", "w", 1, START, message(event(101, "a")));
    submit(one, "next", "w", 3, message(event(102, "b")));
    submit(one, "start again", null, 0, START);
    submit(one, "other start", null, 0, message(start(99)));
    submit(one, "skips", "w", 5, message(event(102, "c")));
    submit(one, "end", "v", 1, END);
    submit(one, "late", null, 0, message(event(103, "d")));
    runAll();
    assertThat(results)
        .containsExactly(
            "known: stored 1, 2",
            "known: stored 1, 2",
            "next: stored 1, 3",
            "start again: stored 1, 3",
            "other start: session_already_started",
            "skips: message_out_of_order",
            "end: complete 1, 4",
            "late: session_complete");
    assertThat(store.truth().state("s").entries()).isEqualTo(4);
  }

  @Test
  void sync_returnsWhatAnotherNodeHasStored() throws Exception {
    Session one = here.acquire("s");
    submit(there.acquire("s"), "there", "w", 1, START);
    runAll();
    results.clear();
    one.sync("w", (entries, messages) -> results.add("synced " + entries + ", " + messages));
    assertThat(results).isEmpty();
    runAll();
    assertThat(results).containsExactly("synced 1, 1");
  }

  @Test
  void endAndDeletion_byAnotherNode_areNotifiedWhenTheSessionIsSaidToHaveChanged()
      throws Exception {
    Session one = here.acquire("s");
    Session other = there.acquire("s");
    submit(other, "start", null, 0, START);
    runAll();
    one.watch(
        Watching.of(entries -> results.add("completed " + entries), () -> results.add("deleted")));
    submit(other, "end", null, 0, END);
    runAll();
    results.clear();
    here.changed("s");
    here.changed("unused");
    runAll();
    assertThat(results).containsExactly("completed 2");
    results.clear();

    one = here.acquire("s2");
    other = there.acquire("s2");
    submit(other, "start", null, 0, START);
    one.watch(
        Watching.of(entries -> results.add("completed " + entries), () -> results.add("deleted")));
    runAll();
    here.changed("s2");
    runAll();
    other.delete(null, new RecordedReply("deletion"));
    runAll();
    results.clear();
    here.changed("s2");
    runAll();
    assertThat(results).containsExactly("deleted");
    submit(one, "behind", null, 0, START);
    assertThat(results).containsExactly("deleted", "behind: session_deleted");
    submit(here.acquire("s2"), "anew", null, 0, START);
    runAll();
    assertThat(results).last().isEqualTo("anew: stored 1, 1");
  }

  @Test
  void deletionOfWhatThisNodeHasNotSeen_isDone() throws Exception {
    Session one = here.acquire("s");
    submit(there.acquire("s"), "start", null, 0, START);
    runAll();
    one.delete(null, new RecordedReply("deletion"));
    runAll();
    assertThat(results).last().asString().startsWith("deletion: stored");
    assertThat(store.truth().state("s").entries()).isZero();
  }

  /** A writer that sends each message until it is acknowledged, through one node or the other. */
  private final class Writer implements Reply {
    private final String name;
    private final int total;
    private final Random random;
    private int acknowledged;
    private int sent; // position of the next result; later messages are pipelined
    private int left; // messages of the submission without a result
    private boolean retries;

    Writer(String name, int total, Random random) {
      this.name = name;
      this.total = total;
      this.random = random;
    }

    boolean isIdle() {
      return left == 0;
    }

    boolean isDone() {
      return acknowledged == total;
    }

    void send(Sessions sessions) throws Exception {
      if (isDone() || left > 0) {
        return;
      }
      int from =
          retries && acknowledged > 0 && random.nextBoolean() ? acknowledged - 1 : acknowledged;
      int count = Math.min(total - from, 1 + random.nextInt(3));
      sent = from;
      left = count;
      List<Message> messages = new ArrayList<>();
      for (int i = from; i < from + count; i++) {
        messages.add(new Message(i + 1, message(event(200 + i, name + "." + i + ".")), null));
      }
      sessions.acquire("s").submit(name, true, messages, this);
    }

    @Override
    public void stored(int messages, long entries, boolean complete) {
      assertThat(left).as("results of %s", name).isGreaterThanOrEqualTo(messages);
      left -= messages;
      sent += messages;
      acknowledged = Math.max(acknowledged, sent);
    }

    @Override
    public void refused(ProblemException problem) {
      assertThat(left).as("results of %s", name).isPositive();
      left--;
      sent++;
      retries = true;
    }

    @Override
    public void flush() {}
  }

  @Test
  void eightWriters_onTwoNodes_haveEachMessageStoredOnce() throws Exception {
    int conflicts = 0;
    for (int seed = 0; seed < 300; seed++) {
      store.truth().close();
      Random random = new Random(seed);
      store = new ConflictingStore(random, seed % 2 == 1);
      here = sessions();
      there = sessions();
      try {
        write(random);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
      conflicts += store.conflicts;
    }
    assertThat(conflicts).as("conflicts").isGreaterThan(300);
  }

  private void write(Random random) throws Exception {
    submitUntilStored(START);
    List<Writer> writers = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      writers.add(new Writer("w" + i, 6, random));
    }
    while (!writers.stream().allMatch(Writer::isDone)) {
      if (random.nextInt(3) == 0 || !store.step()) {
        writers.get(random.nextInt(8)).send(random.nextBoolean() ? here : there);
      }
    }
    runAll();
    assertThat(writers).allMatch(Writer::isIdle);
    submitUntilStored(END);
    String tree = TreeText.of(store.truth().tree("s").orElseThrow());
    TreeMap<String, Integer> found = new TreeMap<>();
    for (int i = 0; i < 8; i++) {
      for (int n = 0; n < 6; n++) {
        String text = "w" + i + "." + n + ".";
        int times = tree.split(Pattern.quote(text), -1).length - 1;
        if (times != 1) {
          found.put(text, times);
        }
      }
    }
    assertThat(found).as("messages that are not there once").isEmpty();
  }

  private void submitUntilStored(Batch batch) throws Exception {
    do {
      results.clear();
      submit(here.acquire("s"), "it", "bounds", batch == START ? 1 : 2, batch);
      runAll();
    } while (!results.get(0).startsWith("it: stored")
        && !results.get(0).startsWith("it: complete"));
  }
}
