package sessiontree.store;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.Await;
import sessiontree.Messages;
import sessiontree.TreeText;
import sessiontree.event.Batch;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.TreeWriter;
import sessiontree.metrics.Metrics;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.sort.Cursor;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.SessionState.Phase;

/** The contract of every store that can list its sessions and tell which are due. */
public abstract class SessionStoreContract<S extends SessionStore & Listable & Expirable> {
  protected S store;

  /** Opens the store of a test: the same one again if its contents survive, or else a new one. */
  protected abstract S openStore() throws IOException;

  @BeforeEach
  void open() throws IOException {
    store = openStore();
  }

  @AfterEach
  void close() throws Exception {
    store.close();
  }

  @Test
  void unknownSession_isNew_andHasNoTree() throws IOException {
    assertThat(store.open("a").state()).isEqualTo(SessionState.NEW);
    assertThat(store.state("a")).isEqualTo(SessionState.NEW);
    assertThat(store.tree("a")).isEmpty();
  }

  @Test
  void append_isInTheState_whenItHasItsResult() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100), event(101, "x"), event(102, "y"))).assertStored();
    assertState("a", Phase.OPEN, 1, 3, Map.of());
    assertThat(store.state("a").startKey()).isEqualTo(100_000_000_000L);

    session.append(message(event(103, "z"))).assertStored();
    assertState("a", Phase.OPEN, 2, 4, Map.of());
    assertThat(session.session().state()).isEqualTo(store.state("a"));
  }

  @Test
  void append_getsOneResult() throws Exception {
    Appender session = appender("a");
    List<RecordedResult> results = new ArrayList<>();
    results.add(session.append(message(start(100))));
    results.add(session.append(null));
    results.add(session.appendExpecting(7, message(event(101, "x"))));
    results.add(session.append(message(end(102))));
    store.close();
    assertThat(results).extracting(RecordedResult::times).containsOnly(1);
  }

  @Test
  void append_ofAnotherSequence_isRefused_andChangesNothing() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100))).assertStored();
    SessionState before = store.state("a");
    for (long expected : new long[] {0, 2, -1, Long.MAX_VALUE}) {
      RecordedResult refused =
          session.appendExpecting(expected, message(event(101, "no"), end(102)));
      refused.assertRefused();
      assertThat(refused.isOutdated()).isEqualTo(session.session().shared());
    }
    assertThat(store.state("a")).isEqualTo(before);

    session.append(message(event(103, "x"), end(104))).assertStored();
    assertThat(tree("a")).isEqualTo(Messages.tree(100, 104, List.of(event(103, "x"))));
  }

  @Test
  void append_ofNothing_hasItsResultAfterThoseBeforeIt() throws Exception {
    Appender session = appender("a");
    RecordedResult first = session.append(message(start(100)));
    RecordedResult second = session.append(message(event(101, "x")));
    CompletableFuture<Integer> before = new CompletableFuture<>();
    session.append(null, null, 0, onStored(() -> before.complete(first.times() + second.times())));
    assertThat(before.get(30, TimeUnit.SECONDS)).isEqualTo(2);
    assertState("a", Phase.OPEN, 2, 2, Map.of());
  }

  @Test
  void append_ofNothing_thatExpectsAnotherSequence_isRefused() throws Exception {
    appender("a").appendExpecting(1, null).assertRefused();
    assertThat(store.state("a")).isEqualTo(SessionState.NEW);
  }

  @Test
  void append_ofNothing_toACompleteSession_hasItsResult() throws Exception {
    complete("a", message(start(100), end(101)));
    appender("a").append(null).assertStored();
  }

  @Test
  void append_behindTheEnd_hasItsResultAfterIt() throws Exception {
    Appender session = appender("a");
    List<String> large = new ArrayList<>(List.of(start(0)));
    IntStream.range(0, 20_000).forEach(i -> large.add(event(20_000 - i, "x")));
    session.append(message(large)).assertStored();

    RecordedResult ending = session.append(message(end(1)));
    CompletableFuture<Integer> before = new CompletableFuture<>();
    session.append(null, null, 0, onStored(() -> before.complete(ending.times())));
    assertThat(before.get(30, TimeUnit.SECONDS)).isEqualTo(1);
  }

  @Test
  void append_ofWhatIsStoredAlready_keepsOnlyTheWritersNumber() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100)), "w", 1).assertStored();
    session.append(message(start(100)), "w", 2).assertStored();
    assertState("a", Phase.OPEN, 2, 1, Map.of("w", 2L));
  }

  @Test
  void writersNumbers_areKept() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100)), "one", 1).assertStored();
    session.append(message(event(101, "x")), "two", 7).assertStored();
    session.append(message(event(101, "x"))).assertStored();
    session.append(message(event(101, "x")), "one", Long.MAX_VALUE).assertStored();
    Map<String, Long> writers = Map.of("one", Long.MAX_VALUE, "two", 7L);
    assertState("a", Phase.OPEN, 4, 4, writers);

    session.append(message(end(102)), "three", 1).assertStored();
    assertWriters("a", Map.of("one", Long.MAX_VALUE, "two", 7L, "three", 1L));
  }

  @Test
  void sessionThatIsOpenedAgain_isGoneOnWith() throws Exception {
    appender("a").append(message(start(100), event(102, "x"))).assertStored();
    Appender again = appender("a");
    assertThat(again.session().state()).isEqualTo(store.state("a"));
    again.append(message(event(101, "y"), end(103))).assertStored();
    assertThat(tree("a"))
        .isEqualTo(Messages.tree(100, 103, List.of(event(101, "y"), event(102, "x"))));
  }

  @Test
  void sessions_doNotDisturbEachOther() throws Exception {
    Appender one = appender("a");
    Appender other = appender("A");
    one.append(message(start(100), event(101, "one")), "w", 1);
    other.append(message(start(200), event(201, "other")), "w", 2);
    one.appendExpecting(7, message(end(102))).assertRefused();
    other.append(message(end(202))).assertStored();

    assertState("a", Phase.OPEN, 1, 2, Map.of("w", 1L));
    assertThat(store.tree("a")).isEmpty();
    assertThat(tree("A")).isEqualTo(Messages.tree(200, 202, List.of(event(201, "other"))));
  }

  @Test
  void appendThatEndsTheSession_hasItsResultWhenTheTreeCanBeRead() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100)));
    CompletableFuture<String> tree = new CompletableFuture<>();
    session.append(
        message(end(101)),
        null,
        0,
        onStored(
            () -> {
              try {
                tree.complete(store.state("a").phase() + " " + tree("a"));
              } catch (Throwable e) {
                tree.completeExceptionally(e);
              }
            }));
    assertThat(tree.get(30, TimeUnit.SECONDS))
        .isEqualTo("COMPLETE " + Messages.tree(100, 101, List.of()));
  }

  @Test
  void openSession_hasNoTree() throws Exception {
    appender("a").append(message(start(100), event(101, "x"))).assertStored();
    assertThat(store.tree("a")).isEmpty();
  }

  @Test
  void completeSession_hasEntriesAndWriters() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100), event(101, "x")), "w", 1);
    session.append(message(event(101, "y"), end(102)), "v", 3).assertStored();
    for (SessionState state : List.of(store.state("a"), store.open("a").state())) {
      assertThat(state.phase()).isEqualTo(Phase.COMPLETE);
      assertThat(state.entries()).isEqualTo(4);
    }
    assertWriters("a", Map.of("w", 1L, "v", 3L));
  }

  @Test
  void tree_keepsTimestampsAsTheyWereSent() throws Exception {
    complete("a", message(start("1e2"), event("1.50", "x"), event("15e-1", "y"), end("0.0")));
    assertThat(tree("a"))
        .isEqualTo(Messages.tree("1e2", "0.0", List.of(event("1.50", "x"), event("15e-1", "y"))));
  }

  static LongStream seeds() {
    return new Random().longs(20);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void tree_isInOrder_equalTimestampsInTheOrderStored(long seed) throws Exception {
    Random random = new Random(seed);
    Appender session = appender("a");
    Map<Integer, List<String>> stored = new TreeMap<>();
    session.append(message(start(0)));
    int range = 1 + random.nextInt(200);
    for (int batch = random.nextInt(30); batch > 0; batch--) {
      List<String> events = new ArrayList<>();
      for (int i = random.nextInt(50); i >= 0; i--) {
        int timestamp = random.nextInt(range);
        String event = event(timestamp, "é" + "x".repeat(random.nextInt(300)) + batch + "." + i);
        events.add(event);
        stored.computeIfAbsent(timestamp, t -> new ArrayList<>()).add(event);
      }
      session.append(message(events));
    }
    session.append(message(end(range))).assertStored();

    List<String> ordered = stored.values().stream().flatMap(List::stream).toList();
    assertThat(tree("a")).as("seed %d", seed).isEqualTo(Messages.tree(0, range, ordered));
    assertThat(store.state("a").entries()).as("seed %d", seed).isEqualTo(ordered.size() + 2);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void partialTree_isWhatIsStoredSoFar_inOrder(long seed) throws Exception {
    Random random = new Random(seed);
    Appender session = appender("a");
    session.append(message(start(0))).assertStored();
    Map<Integer, List<String>> byTime = new TreeMap<>();
    List<String> asStored = new ArrayList<>();
    List<PartialTree> read = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    for (int batch = 1 + random.nextInt(20); batch > 0; batch--) {
      List<String> events = new ArrayList<>();
      for (int i = random.nextInt(50); i >= 0; i--) {
        int timestamp = random.nextInt(100);
        String event = event(timestamp, "x".repeat(random.nextInt(300)) + batch + "." + i);
        events.add(event);
        asStored.add(event);
        byTime.computeIfAbsent(timestamp, t -> new ArrayList<>()).add(event);
      }
      session.append(message(events)).assertStored();

      PartialTree partial = store.partial("a").orElseThrow();
      assertThat(partial.children()).as("seed %d", seed).isEqualTo(asStored.size());
      assertThat(partial.entries()).as("seed %d", seed).isEqualTo(asStored.size() + 1);
      read.add(partial);
      expected.add(
          "{\"type\":\"SESSION\",\"start\":0,\"open\":true,\"children\":["
              + byTime.values().stream().flatMap(List::stream).collect(Collectors.joining(","))
              + "]}");
      int results = random.nextInt(asStored.size() + 1);
      List<String> since = since(session, results);
      if (since != null) { // the order is known
        assertThat(since).as("seed %d", seed).isEqualTo(asStored.subList(results, asStored.size()));
      }
    }
    session.append(message(end(100))).assertStored();
    if (random.nextBoolean()) {
      session.delete().assertStored();
    }
    assertThat(store.partial("a")).as("seed %d", seed).isEmpty();
    for (int i = 0; i < read.size(); i++) { // a tree that was opened before does not change
      assertThat(TreeText.of(read.get(i).tree())).as("seed %d", seed).isEqualTo(expected.get(i));
    }
  }

  /** Returns children stored after the first {@code children}; null if the order is not known. */
  private static List<String> since(Appender session, long children) throws IOException {
    Cursor since = session.session().since(children);
    if (since == null) {
      return null;
    }
    List<String> texts = new ArrayList<>();
    String before = new String(TreeWriter.beforeChild(), StandardCharsets.UTF_8);
    while (since.next()) {
      byte[] array = since.array();
      texts.add(before + new String(array, since.offset(), since.length(), StandardCharsets.UTF_8));
    }
    return texts;
  }

  @Test
  void childrenJustStored_areKnownInTheOrderStored() throws Exception {
    Appender session = appender("a");
    session.append(message(start(1), event(3, "x"), event(2, "y"))).assertStored();
    assertThat(since(session, 0)).containsExactly(event(3, "x"), event(2, "y"));
    assertThat(since(session, 1)).containsExactly(event(2, "y"));
    assertThat(since(session, 2)).isEmpty();
    assertThat(since(session, 3)).isNull();
  }

  @Test
  void partialTree_ofNoOpenSession_isNone() throws Exception {
    complete("complete", message(start(1), end(2)));
    assertThat(store.partial("unknown")).isEmpty();
    assertThat(store.partial("complete")).isEmpty();
    appender("deleted").append(message(start(1))).assertStored();
    appender("deleted").delete().assertStored();
    assertThat(store.partial("deleted")).isEmpty();
  }

  @Test
  void partialTree_whileOthersAppend_hasWhatWasAcknowledgedBefore() throws Exception {
    Appender session = appender("a");
    session.append(message(start(0))).assertStored();
    int events = 1_000;
    AtomicInteger acknowledged = new AtomicInteger();
    inParallel(
        2,
        thread -> {
          if (thread == 0) {
            for (int i = 0; i < events; i++) {
              session.append(message(event(i, "x"))).assertStored();
              acknowledged.incrementAndGet();
            }
          } else {
            for (int before = 0; before < events; ) {
              before = acknowledged.get();
              PartialTree partial = store.partial("a").orElseThrow();
              assertThat(partial.children()).isGreaterThanOrEqualTo(before);
              String children =
                  LongStream.range(0, partial.children())
                      .mapToObj(i -> event(i, "x"))
                      .collect(Collectors.joining(","));
              assertThat(TreeText.of(partial.tree())).endsWith(":[" + children + "]}");
            }
          }
        });
  }

  @Test
  void results_comeOneAtATime_andInOrder() throws Exception {
    int appends = 300;
    AtomicInteger inside = new AtomicInteger();
    AtomicBoolean overlapped = new AtomicBoolean();
    List<List<Integer>> orders = new ArrayList<>();
    for (int s = 0; s < 4; s++) {
      orders.add(Collections.synchronizedList(new ArrayList<>()));
    }
    inParallel(
        orders.size(),
        s -> {
          Appender session = appender("s" + s);
          for (int i = 0; i < appends; i++) {
            int number = i;
            Batch batch = i == 0 ? message(start(0)) : i % 3 == 0 ? null : message(event(i, "x"));
            session.append(
                batch,
                null,
                0,
                onStored(
                    () -> {
                      overlapped.compareAndSet(false, inside.incrementAndGet() != 1);
                      orders.get(s).add(number);
                      inside.decrementAndGet();
                    }));
          }
          session.append(null).assertStored();
        });
    assertThat(orders).containsOnly(IntStream.range(0, appends).boxed().toList());
    assertThat(overlapped).isFalse();
  }

  @Test
  void manyThreads_appendToManySessions() throws Exception {
    int sessions = 25;
    inParallel(
        8,
        thread -> {
          List<Appender> appenders = new ArrayList<>();
          for (int s = 0; s < sessions; s++) {
            appenders.add(appender(thread + "-" + s));
            appenders.get(s).append(message(start(s)), "w", 1);
          }
          for (int i = 0; i < 20; i++) {
            for (int s = 0; s < sessions; s++) {
              String name = thread + "-" + s + "-" + i;
              appenders.get(s).append(message(event(-i + 20, name)), "w", i + 2);
            }
          }
          for (Appender appender : appenders) {
            appender.append(message(end(99)), "w", 99).assertStored();
          }
        });
    for (int thread = 0; thread < 8; thread++) {
      for (int s = 0; s < sessions; s++) {
        String id = thread + "-" + s;
        List<String> events =
            IntStream.range(0, 20)
                .boxed()
                .sorted(Comparator.reverseOrder())
                .map(i -> event(-i + 20, id + "-" + i))
                .toList();
        assertThat(tree(id)).isEqualTo(Messages.tree(s, 99, events));
        assertWriters(id, Map.of("w", 99L));
      }
    }
  }

  @Test
  void close_givesAllResults() throws Exception {
    List<RecordedResult> results = new ArrayList<>();
    for (int s = 0; s < 50; s++) {
      Appender session = appender("s" + s);
      results.add(session.append(message(start(0))));
      results.add(session.append(message(event(1, "x"))));
      results.add(session.append(null));
      results.add(session.append(message(end(2))));
    }
    store.close();
    assertThat(results).extracting(RecordedResult::times).containsOnly(1);
    for (RecordedResult result : results) {
      result.assertStored();
    }
  }

  @Test
  void store_isHealthy() throws Exception {
    assertThat(store.healthy()).isTrue();
    complete("a", message(start(100), end(101)));
    assertThat(store.healthy()).isTrue();
  }

  @Test
  void deletion_leavesNothing_andTheIdIsNew() throws Exception {
    for (String id : List.of("open", "complete")) {
      Appender session = appender(id);
      session.append(message(start(100), event(101, "old")), "w", 1).assertStored();
      if (id.equals("complete")) {
        session.append(message(end(102))).assertStored();
        session = appender(id);
      }
      RecordedResult deleted = session.delete();
      RecordedResult behind = session.append(null);
      deleted.assertStored();
      behind.assertStored();
      assertThat(store.state(id)).as(id).isEqualTo(SessionState.NEW);
      assertThat(store.tree(id)).as(id).isEmpty();
      assertThat(store.open(id).state()).as(id).isEqualTo(SessionState.NEW);
      assertThat(listed(Listing.Filter.ALL, 10)).as(id).isEmpty();
      awaitOpenSessions(0);

      complete(id, message(start(7), event(8, "new"), end(9)));
      assertThat(tree(id)).isEqualTo(Messages.tree(7, 9, List.of(event(8, "new"))));
      appender(id).delete().assertStored();
    }
  }

  @Test
  void deletion_ofASessionThatHasJustEnded_leavesNothing_alsoLater() throws Exception {
    for (int i = 0; i < 200; i++) {
      String id = "s" + i % 2;
      Appender session = appender(id);
      session.append(message(start(100), event(101, "x".repeat(1 + i * 10)), end(102)));
      RecordedResult deleted = session.delete();
      RecordedResult behind = session.append(null);
      deleted.assertStored();
      behind.assertStored();
      assertThat(store.state(id)).as(id).isEqualTo(SessionState.NEW);
      assertThat(store.tree(id)).as(id).isEmpty();
    }
    assertThat(listed(Listing.Filter.ALL, 10)).isEmpty();
    awaitOpenSessions(0);
  }

  @Test
  void deletion_thatExpectsAnotherSequence_isRefused() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100))).assertStored();
    SessionState before = store.state("a");
    RecordedResult refused = new RecordedResult();
    session.session().append(Append.deletion(7, refused));
    refused.assertRefused();
    assertThat(store.state("a")).isEqualTo(before);
  }

  @Test
  void abandonment_endsWithTheGreatestTimestamp_asItWasSent() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100), event("1.050e2", "x"))).assertStored();
    session.append(message(event(104, "y"), event(105, "z"))).assertStored();
    session.abandon().assertStored();
    String events = String.join(",", event(104, "y"), event("1.050e2", "x"), event(105, "z"));
    assertThat(tree("a"))
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":100,\"end\":1.050e2,\"abandoned\":true,\"children\":["
                + events
                + "]}");
    assertState("a", Phase.COMPLETE, store.state("a").sequence(), 5, Map.of());

    Appender empty = appender("b");
    empty.append(message(start("1e2"))).assertStored();
    empty.abandon().assertStored();
    assertThat(tree("b"))
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":1e2,\"end\":1e2,\"abandoned\":true,\"children\":[]}");
  }

  @Test
  void idleSessions_areThoseThatAreOpen() throws Exception {
    appender("open").append(message(start(1))).assertStored();
    complete("complete", message(start(1), end(2)));
    assertThat(store.idle(Duration.ZERO, 10)).extracting(Seen::id).containsExactly("open");
    assertThat(store.idle(Duration.ofHours(1), 10)).isEmpty();
    awaitOpenSessions(1);
  }

  @Test
  void completeSessions_areVisited_withTheirTags_untilTheyAreDeleted() throws Exception {
    appender("open").append(message(start(1))).assertStored();
    complete("a", message(start(1), end(2)));
    assertThat(store.completeFor(Duration.ofHours(1), 10)).isEmpty();
    assertThat(store.completeFor(Duration.ZERO, 10)).containsExactly(new Seen("a", tag("a")));
    complete("B", message(start(1), end(2)));
    for (int i = 0; i < 2; i++) {
      assertThat(store.completeFor(Duration.ZERO, 10))
          .containsExactlyInAnyOrder(new Seen("a", tag("a")), new Seen("B", tag("B")));
      assertThat(store.completeFor(Duration.ZERO, 1)).hasSize(1);
    }
    appender("a").delete().assertStored();
    assertThat(store.completeFor(Duration.ZERO, 10)).extracting(Seen::id).containsExactly("B");
    complete("a", message(start(1), end(3)));
    assertThat(store.completeFor(Duration.ZERO, 10))
        .containsExactlyInAnyOrder(new Seen("a", tag("a")), new Seen("B", tag("B")));
  }

  /** Acts on a session as clients do, through a {@link Session}; returns the refusal, or null. */
  private Problem refusal(String id, BiConsumer<Session, Reply> action) throws Exception {
    Sessions sessions = new Sessions(store, Integer.MAX_VALUE, new Metrics());
    CompletableFuture<Problem> results = new CompletableFuture<>();
    action.accept(
        sessions.acquire(id),
        new Reply() {
          @Override
          public void stored(int messages, long entries, boolean complete) {
            results.complete(null);
          }

          @Override
          public void refused(ProblemException problem) {
            results.complete(problem.problem());
          }

          @Override
          public void flush() {}
        });
    return results.get(30, TimeUnit.SECONDS);
  }

  @Test
  void completeSessionThatWasSeen_isDeleted_unlessItIsAnotherByNow() throws Exception {
    complete("a", message(start(1), event(2, "x"), end(3)));
    Seen seen = store.completeFor(Duration.ZERO, 10).get(0);
    appender("a").delete().assertStored();
    assertThat(refusal("a", (session, reply) -> session.delete(seen.version(), reply)))
        .isEqualTo(Problem.SESSION_NOT_FOUND);
    Appender anew = appender("a");
    anew.append(message(start(1), event(2, "y"))).assertStored();
    assertThat(refusal("a", (session, reply) -> session.delete(seen.version(), reply)))
        .isEqualTo(Problem.PRECONDITION_FAILED);
    anew.append(message(end(3))).assertStored();
    assertThat(refusal("a", (session, reply) -> session.delete(seen.version(), reply)))
        .isEqualTo(Problem.PRECONDITION_FAILED);
    assertThat(tree("a")).isEqualTo(Messages.tree(1, 3, List.of(event(2, "y"))));
    Seen again = store.completeFor(Duration.ZERO, 10).get(0);
    assertThat(again).isEqualTo(new Seen("a", tag("a")));
    assertThat(refusal("a", (session, reply) -> session.delete(again.version(), reply))).isNull();
    assertThat(store.state("a")).isEqualTo(SessionState.NEW);
  }

  @Test
  void idleSessionThatWasSeen_isEnded_unlessItGotAMessage_orIsAnotherByNow() throws Exception {
    Appender session = appender("a");
    session.append(message(start(1), event(2, "x"))).assertStored();
    Seen first = store.idle(Duration.ZERO, 10).get(0);
    session.append(message(event(3, "y"))).assertStored();
    assertThat(refusal("a", (of, reply) -> of.abandon(first.version(), reply)))
        .isEqualTo(Problem.SESSION_IN_PROGRESS);
    Seen second = store.idle(Duration.ZERO, 10).get(0);
    session.delete().assertStored();
    Appender anew = appender("a"); // with as many appends as the deleted session
    anew.append(message(start(1), event(2, "x"))).assertStored();
    anew.append(message(event(3, "y"))).assertStored();
    assertThat(refusal("a", (of, reply) -> of.abandon(second.version(), reply)))
        .isEqualTo(Problem.SESSION_IN_PROGRESS);
    assertThat(store.state("a").phase()).isEqualTo(Phase.OPEN);
    Seen third = store.idle(Duration.ZERO, 10).get(0);
    assertThat(refusal("a", (of, reply) -> of.abandon(third.version(), reply))).isNull();
    assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 20, 1000})
  void pages_haveEachSessionOnce_whileSessionsComplete(int limit) throws Exception {
    Map<String, Appender> open = new TreeMap<>();
    List<String> all = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      String id = (i % 3 == 0 ? "Session-" : "session-") + i;
      all.add(id);
      Appender session = appender(id);
      session.append(message(start("1e" + i % 5), event(5, "x"))).assertStored();
      open.put(id, session);
    }
    List<String> listed = new ArrayList<>();
    String after = null;
    do {
      Listing page = store.list(Listing.Query.oldest(Listing.Filter.ALL, after, limit));
      assertThat(page.sessions()).hasSizeLessThanOrEqualTo(limit);
      page.sessions().forEach(session -> listed.add(session.id()));
      after = page.next();
      if (!open.isEmpty()) {
        String id = open.keySet().iterator().next();
        open.remove(id).append(message(end(9))).assertStored();
      }
    } while (after != null);
    assertThat(listed).containsExactlyInAnyOrderElementsOf(all);
    assertThat(listed(Listing.Filter.OPEN, limit))
        .containsExactlyInAnyOrderElementsOf(open.keySet());
    all.removeAll(open.keySet());
    assertThat(listed(Listing.Filter.COMPLETE, limit)).containsExactlyInAnyOrderElementsOf(all);
  }

  @Test
  void page_listsEachSession() throws Exception {
    Instant before = Instant.now();
    appender("a").append(message(start("1.50"), event(5, "x"))).assertStored();
    complete("b", message(start("1e0"), end("2.0")));
    List<Listing.Listed> listed =
        store.list(Listing.Query.oldest(Listing.Filter.ALL, null, 10)).sessions();
    Listing.Listed a = listed.get(0);
    Listing.Listed b = listed.get(1);
    assertThat(listed)
        .containsExactly(
            new Listing.Listed("a", false, a.begun(), null, "1.50", null, 2, 0),
            new Listing.Listed(
                "b", true, b.begun(), b.completed(), "1e0", "2.0", 0, tree("b").length()));
    assertThat(a.begun()).isBetween(before.minusSeconds(1), b.begun());
    assertThat(b.begun()).isBeforeOrEqualTo(b.completed());
    assertThat(b.completed()).isBefore(before.plusSeconds(100));
  }

  /** Compares pages with the test's list while sessions complete, are deleted, and begin anew. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void pages_areInTheOrderBegun_orTheOtherWayRound_betweenTimes(long seed) throws Exception {
    Random random = new Random(seed);
    List<String> begun = new ArrayList<>();
    Set<String> complete = new HashSet<>();
    for (int step = 0; step < 200; step++) {
      String id = (random.nextBoolean() ? "s" : "S") + random.nextInt(60);
      Appender session = appender(id);
      if (!begun.contains(id)) {
        session.append(message(start(random.nextInt(9)), event(5, "x"))).assertStored();
        begun.add(id);
      } else if (random.nextInt(3) == 0) {
        session.delete().assertStored();
        begun.remove(id);
        complete.remove(id);
      } else if (complete.add(id)) {
        session.append(message(end(9))).assertStored();
      }
      if (random.nextInt(60) == 0) {
        reopen();
      }
      if (step % 10 == 0) {
        assertPages(random, begun, complete, "seed %d, step %d".formatted(seed, step));
      }
    }
  }

  private void assertPages(Random random, List<String> begun, Set<String> complete, String what)
      throws IOException {
    List<Listing.Listed> all = pages(Listing.Filter.ALL, false, null, null, 7);
    assertThat(all).as(what).extracting(Listing.Listed::id).isEqualTo(begun);
    assertThat(all).as(what).isSortedAccordingTo(Comparator.comparing(Listing.Listed::begun));
    for (Listing.Filter filter : Listing.Filter.values()) {
      Instant since = random.nextBoolean() ? null : someTime(random, all);
      Instant until = random.nextBoolean() ? null : someTime(random, all);
      boolean newestFirst = random.nextBoolean();
      List<Listing.Listed> expected = new ArrayList<>();
      for (Listing.Listed one : all) {
        boolean within =
            (since == null || !one.begun().isBefore(since))
                && (until == null || one.begun().isBefore(until));
        boolean isComplete = complete.contains(one.id());
        if (within
            && (filter == Listing.Filter.ALL || isComplete == one.complete())
            && (filter == Listing.Filter.ALL
                || isComplete == (filter == Listing.Filter.COMPLETE))) {
          expected.add(one);
        }
      }
      if (newestFirst) {
        Collections.reverse(expected);
      }
      assertThat(pages(filter, newestFirst, since, until, 1 + random.nextInt(9)))
          .as("%s: %s, newest first %s, from %s to %s", what, filter, newestFirst, since, until)
          .isEqualTo(expected);
    }
  }

  /** Returns the time at which one of the sessions was begun, or a moment before or after it. */
  private static Instant someTime(Random random, List<Listing.Listed> sessions) {
    return sessions.isEmpty()
        ? Instant.now()
        : sessions
            .get(random.nextInt(sessions.size()))
            .begun()
            .plusNanos(random.nextInt(3) * 1000L - 1000);
  }

  private List<Listing.Listed> pages(
      Listing.Filter filter, boolean newestFirst, Instant since, Instant until, int limit)
      throws IOException {
    List<Listing.Listed> sessions = new ArrayList<>();
    String after = null;
    do {
      Listing page = store.list(new Listing.Query(filter, newestFirst, since, until, after, limit));
      assertThat(page.sessions()).hasSizeLessThanOrEqualTo(limit);
      sessions.addAll(page.sessions());
      after = page.next();
    } while (after != null);
    return sessions;
  }

  @Test
  void tag_isAnotherForAnotherTree_ofTheSameLength() throws Exception {
    complete("a", message(start(1), event(2, "x"), end(3)));
    String tag = tag("a");
    assertThat(tag("a")).isEqualTo(tag);
    appender("a").delete().assertStored();
    complete("a", message(start(1), event(2, "y"), end(3)));
    assertThat(tag("a")).isNotEqualTo(tag);
  }

  protected final String tag(String id) throws IOException {
    try (Tree tree = store.tree(id).orElseThrow()) {
      return tree.tag();
    }
  }

  /** Closes the store and opens it again, if its contents survive. */
  protected void reopen() throws Exception {}

  /** Returns the ids on all pages. */
  protected final List<String> listed(Listing.Filter filter, int limit) throws IOException {
    List<String> ids = new ArrayList<>();
    String after = null;
    do {
      Listing page = store.list(Listing.Query.oldest(filter, after, limit));
      page.sessions().forEach(session -> ids.add(session.id()));
      after = page.next();
    } while (after != null);
    return ids;
  }

  /** Waits for the number of open sessions, which may lag if it is counted in a database. */
  private void awaitOpenSessions(int count) throws Exception {
    Await.until(count + " sessions are open", () -> store.openSessions() == count);
  }

  protected final Appender appender(String id) throws IOException {
    return new Appender(store.open(id));
  }

  protected final void complete(String id, Batch batch) throws Exception {
    appender(id).append(batch).assertStored();
  }

  protected final String tree(String id) {
    try {
      return TreeText.of(store.tree(id).orElseThrow(() -> new AssertionError(id + " has no tree")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  protected final void assertState(
      String id, Phase phase, long sequence, long entries, Map<String, Long> writers)
      throws IOException {
    SessionState state = store.state(id);
    assertThat(state).isEqualTo(new SessionState(phase, sequence, entries, state.startKey()));
    assertWriters(id, writers);
  }

  protected final void assertWriters(String id, Map<String, Long> writers) throws IOException {
    SessionStore.StoredSession session = store.open(id);
    assertThat(session.writers()).as("writers of %s", id).isEqualTo(writers.size());
    writers.forEach(
        (name, number) -> assertThat(session.lastNumber(name)).as(name).isEqualTo(number));
    assertThat(session.lastNumber("nobody")).isZero();
  }

  private static Append.Callback onStored(Runnable action) {
    return new Append.Callback() {
      @Override
      public void stored() {
        action.run();
      }

      @Override
      public void failed() {}

      @Override
      public void outdated() {}

      @Override
      public void unknown() {}

      @Override
      public void noTree() {}

      @Override
      public void flush() {}
    };
  }

  /** The work of one of several threads. */
  private interface Work {
    void run(int thread) throws Exception;
  }

  private static void inParallel(int threads, Work work) throws Exception {
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try {
      List<Future<Void>> done = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int thread = i;
        done.add(
            executor.submit(
                () -> {
                  work.run(thread);
                  return null;
                }));
      }
      for (Future<Void> one : done) {
        one.get(60, TimeUnit.SECONDS);
      }
    } finally {
      executor.shutdownNow();
    }
  }
}
