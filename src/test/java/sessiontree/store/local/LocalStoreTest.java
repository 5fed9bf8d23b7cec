package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.Await;
import sessiontree.Messages;
import sessiontree.Watching;
import sessiontree.event.Batch;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.Appender;
import sessiontree.store.Expirable;
import sessiontree.store.Listing;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStoreContract;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FaultyDisk;

/** The local store keeps the contract, and what is stored survives. */
class LocalStoreTest extends SessionStoreContract<LocalStore> {
  @TempDir Path folder;

  /** Limits so small that a test with few records has several segments. */
  private static LocalStoreOptions options() {
    return new LocalStoreOptions(
        1 << 20, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);
  }

  @Override
  protected LocalStore openStore() throws IOException {
    return LocalStore.open(folder, options(), new Metrics());
  }

  @Override
  protected void reopen() throws Exception {
    store.close();
    store = openStore();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void reopenedStore_hasTheSameStates_andIsGoneOnWith(long seed) throws Exception {
    Random random = new Random(seed);
    Map<String, SessionState> states = new HashMap<>();
    Map<String, Map<String, Long>> writers = new HashMap<>();
    Map<String, List<String>> events = new HashMap<>();
    for (int round = 0; round < 4; round++) {
      for (int s = 0; s < 5; s++) {
        String id = "s" + s;
        Appender session = appender(id);
        if (round == 0) {
          session.append(message(start("100." + s)));
        }
        for (int i = random.nextInt(20); i >= 0; i--) {
          String event = event(random.nextInt(3), "x" + random.nextLong());
          events.computeIfAbsent(id, k -> new ArrayList<>()).add(event);
          String writer = random.nextBoolean() ? null : "w" + i;
          session.append(message(event), writer, round * 100 + i + 1);
          if (writer != null) {
            writers.computeIfAbsent(id, k -> new HashMap<>()).put(writer, round * 100L + i + 1);
          }
        }
        session.append(null).assertStored();
        states.put(id, store.state(id));
      }
      reopen();
      for (String id : states.keySet()) {
        assertThat(store.state(id)).as("seed %d", seed).isEqualTo(states.get(id));
        assertThat(store.open(id).state()).as("seed %d", seed).isEqualTo(states.get(id));
        assertWriters(id, writers.getOrDefault(id, Map.of()));
      }
    }
    for (int s = 0; s < 5; s++) {
      String id = "s" + s;
      appender(id).append(message(end(200))).assertStored();
      List<String> ordered = new ArrayList<>();
      for (int timestamp = 0; timestamp < 3; timestamp++) {
        String of = "\"timestamp\":" + timestamp + ",";
        events.get(id).stream().filter(event -> event.contains(of)).forEach(ordered::add);
      }
      assertThat(tree(id)).as("seed %d", seed).isEqualTo(Messages.tree("100." + s, 200, ordered));
    }
  }

  @Test
  void reopenedStore_hasTheSameTrees() throws Exception {
    Map<String, String> trees = new HashMap<>();
    for (int s = 0; s < 20; s++) {
      String id = "s" + s;
      complete(id, message(start(s), event(2, "y".repeat(1 + s * 100)), event(1, "x"), end(3)));
      trees.put(id, tree(id));
    }
    for (int i = 0; i < 2; i++) {
      reopen();
      for (String id : trees.keySet()) {
        assertThat(tree(id)).isEqualTo(trees.get(id));
        assertThat(store.state(id).phase()).isEqualTo(Phase.COMPLETE);
      }
    }
  }

  @Test
  void deletedSession_isNotThereAfterReopen_andItsNewOneIs() throws Exception {
    complete("a", message(start(1), event(2, "old"), end(3)));
    appender("b").append(message(start(1), event(2, "old")), "w", 1).assertStored();
    for (String id : List.of("a", "b")) {
      appender(id).delete().assertStored();
    }
    reopen();
    for (String id : List.of("a", "b")) {
      assertThat(store.state(id)).as(id).isEqualTo(SessionState.NEW);
      appender(id).append(message(start(1), event(2, "new"))).assertStored();
    }
    reopen();
    for (String id : List.of("a", "b")) {
      assertThat(store.tree(id)).as(id).isEmpty();
      appender(id).append(message(end(4))).assertStored();
    }
    reopen();
    for (String id : List.of("a", "b")) {
      assertThat(tree(id)).isEqualTo(Messages.tree(1, 4, List.of(event(2, "new"))));
    }
  }

  /** The deleted sessions are in the log, in run files with others, and in trees. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void deletedSessions_leaveTheDisk(boolean atTheNextStart) throws Exception {
    store.close();
    Duration purge = atTheNextStart ? Duration.ofMinutes(5) : Duration.ZERO;
    LocalStoreOptions small =
        new LocalStoreOptions(2_000, 64 << 10, 4, Duration.ofMillis(1), purge, System::nanoTime);
    store = LocalStore.open(folder, small, new Metrics());
    Map<String, List<String>> kept = new HashMap<>();
    for (int s = 0; s < 20; s++) {
      String name = s % 2 == 0 ? "secret" : "kept";
      Appender session = appender(name + s);
      List<String> events = new ArrayList<>();
      session.append(message(start(1)));
      for (int i = 0; i < 20; i++) {
        events.add(event(2, name + "x".repeat(50)));
        session.append(message(events.get(i)));
      }
      session.append(s % 3 == 0 ? message(end(3)) : null).assertStored();
      if (s % 2 != 0) {
        kept.put(name + s, events);
      }
    }
    for (int s = 0; s < 20; s += 2) {
      appender("secret" + s).delete().assertStored();
    }
    if (atTheNextStart) {
      store.close();
      store = LocalStore.open(folder, small, new Metrics());
    }
    await(() -> !anyFileContains("secret"));
    reopen();
    for (String id : kept.keySet()) {
      if (store.state(id).phase() == Phase.OPEN) {
        appender(id).append(message(end(3))).assertStored();
      }
      assertThat(tree(id)).isEqualTo(Messages.tree(1, 3, kept.get(id)));
    }
    assertThat(listed(Listing.Filter.ALL, 100)).hasSize(kept.size());
  }

  private boolean anyFileContains(String text) throws IOException {
    try (var files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (Files.readString(file, StandardCharsets.ISO_8859_1).contains(text)) {
          return true;
        }
      }
      return false;
    } catch (UncheckedIOException | NoSuchFileException e) { // a file was removed meanwhile
      return true;
    }
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private static void await(Condition condition) throws IOException {
    long until = System.nanoTime() + 30_000_000_000L;
    while (!condition.holds()) {
      assertThat(System.nanoTime()).as("deadline").isLessThan(until);
      Thread.onSpinWait();
    }
  }

  /** Advances the clock second by second, as it does while the process runs. */
  private void run(AtomicLong nanos, int seconds) {
    for (int i = 0; i < seconds; i++) {
      nanos.addAndGet(1_000_000_000L);
      assertThat(store.idle(Duration.ofDays(1), 1)).isEmpty();
    }
  }

  /** As after SIGSTOP and SIGCONT, or after a laptop or a virtual machine was suspended. */
  @Test
  void timeInWhichTheProcessDidNotRun_makesNothingDue() throws Exception {
    store.close();
    AtomicLong nanos = new AtomicLong();
    LocalStoreOptions options =
        new LocalStoreOptions(
            1 << 20, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), nanos::get);
    store = LocalStore.open(folder, options, new Metrics());
    appender("open").append(message(start(1))).assertStored();
    complete("complete", message(start(1), end(2)));
    nanos.addAndGet(65_000_000_000L);
    assertThat(store.idle(Duration.ofSeconds(10), 10)).isEmpty();
    assertThat(store.completeFor(Duration.ofSeconds(10), 10)).isEmpty();
    run(nanos, 10);
    assertThat(store.idle(Duration.ofSeconds(10), 10)).hasSize(1);
    assertThat(store.completeFor(Duration.ofSeconds(10), 10)).hasSize(1);
  }

  @Test
  void idleTime_isThatWhichTheStoreWasOpen() throws Exception {
    store.close();
    AtomicLong nanos = new AtomicLong(500);
    LocalStoreOptions options =
        new LocalStoreOptions(
            1 << 20, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), nanos::get);
    store = LocalStore.open(folder, options, new Metrics());
    run(nanos, 7);
    appender("a").append(message(start(1))).assertStored();
    run(nanos, 10);
    store.close();
    nanos.addAndGet(3_600_000_000_000L);
    store = LocalStore.open(folder, options, new Metrics());
    assertThat(store.idle(Duration.ofSeconds(11), 10)).isEmpty();
    nanos.addAndGet(1_000_000_000L);
    assertThat(store.idle(Duration.ofSeconds(11), 10)).hasSize(1);
    assertThat(store.idle(Duration.ofSeconds(12), 10)).isEmpty();
    appender("a").append(message(event(2, "x"))).assertStored();
    assertThat(store.idle(Duration.ofSeconds(1), 10)).isEmpty();
  }

  @Test
  void timeSinceCompletion_isThatWhichTheStoreWasOpen_andTagsSurvive() throws Exception {
    store.close();
    AtomicLong nanos = new AtomicLong(500);
    LocalStoreOptions options =
        new LocalStoreOptions(
            1 << 20, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), nanos::get);
    store = LocalStore.open(folder, options, new Metrics());
    run(nanos, 7);
    complete("a", message(start(1), event(2, "x"), end(3)));
    String tag = tag("a");
    run(nanos, 10);
    store.close();
    nanos.addAndGet(3_600_000_000_000L);
    Path tree = folder.resolve("sessions").resolve(TreePath.of("a"));
    FileTime time = Files.getLastModifiedTime(tree);
    Files.setLastModifiedTime(tree, FileTime.fromMillis(1)); // as a wrong clock sets it
    store = LocalStore.open(folder, options, new Metrics());
    assertThat(store.completeFor(Duration.ofSeconds(11), 10)).isEmpty();
    nanos.addAndGet(1_000_000_000L);
    assertThat(store.completeFor(Duration.ofSeconds(11), 10)).hasSize(1);
    assertThat(store.completeFor(Duration.ofSeconds(12), 10)).isEmpty();
    Files.setLastModifiedTime(tree, time);
    assertThat(tag("a")).isEqualTo(tag);
  }

  @Test
  void treesOfAFolderWithoutAJournal_areCompleteFromNowOn_andFilesThatAreNoneArePassedOver()
      throws Exception {
    complete("a", message(start(1), end(2)));
    complete("Bb", message(start(1), end(2)));
    store.close();
    for (String left : List.of("log", "runs", "journal", "clock")) {
      delete(folder.resolve(left));
    }
    Path beside = folder.resolve("sessions").resolve(TreePath.of("a")).getParent();
    for (String name :
        List.of("notes.json", "x+.json", "x+zz.json", "+1.json", ".json", "a b.json")) {
      Files.writeString(beside.resolve(name), "{}");
    }
    AtomicLong nanos = new AtomicLong();
    LocalStoreOptions options =
        new LocalStoreOptions(
            1 << 20, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), nanos::get);
    for (int i = 0; i < 2; i++) {
      store = LocalStore.open(folder, options, new Metrics());
      assertThat(listed(Listing.Filter.ALL, 10)).containsExactlyInAnyOrder("a", "Bb");
      assertThat(store.completeFor(Duration.ofSeconds(1 + i), 10)).isEmpty();
      nanos.addAndGet(1_000_000_000L);
      assertThat(store.completeFor(Duration.ofSeconds(1 + i), 10)).hasSize(2);
      store.close();
    }
  }

  private static void delete(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      try (var files = Files.list(file)) {
        for (Path one : files.toList()) {
          delete(one);
        }
      }
    }
    Files.delete(file);
  }

  /** A kill loses journal lines, which are made again from the log and from runs. */
  @ParameterizedTest
  @MethodSource("seeds")
  void completeSessions_areVisitedOnce_afterKills_andUntilTheyAreDeleted(long seed)
      throws Exception {
    store.close();
    Random random = new Random(seed);
    LocalStoreOptions small =
        new LocalStoreOptions(
            4_000, 32 << 10, 4, Duration.ofMillis(1), Duration.ofMillis(20), System::nanoTime);
    FaultyDisk disk = FaultyDisk.create(random);
    Set<String> complete = new TreeSet<>();
    int next = 0;
    for (int life = 0; life < 4; life++) {
      store = LocalStore.open(disk, folder, small, new Metrics());
      assertThat(store.completeFor(Duration.ZERO, 10_000))
          .as("seed %d, life %d", seed, life)
          .extracting(Expirable.Seen::id)
          .containsExactlyInAnyOrderElementsOf(complete);
      for (int i = random.nextInt(150); i > 0; i--) {
        String id = "s" + (random.nextInt(4) == 0 ? random.nextInt(next + 1) : next++);
        if (complete.remove(id)) {
          appender(id).delete().assertStored();
        }
        if (random.nextInt(5) > 0) {
          complete(id, message(start(1), event(2, "x".repeat(1 + random.nextInt(200))), end(3)));
          complete.add(id);
        }
        if (random.nextInt(40) == 0) {
          assertThat(store.completeFor(Duration.ZERO, 1 + random.nextInt(20))).isNotNull();
        }
      }
      int end = random.nextInt(3);
      FaultyDisk before = disk;
      disk = end == 0 ? disk : end == 1 ? disk.kill() : disk.losePower();
      assertThat(disk == before).isEqualTo(end == 0);
      store.close();
    }
    store = LocalStore.open(disk, folder, small, new Metrics());
    assertThat(store.completeFor(Duration.ZERO, 10_000))
        .as("seed %d", seed)
        .extracting(Expirable.Seen::id)
        .containsExactlyInAnyOrderElementsOf(complete);
  }

  /** As if the clock stood still, or the file system kept no times. */
  @ParameterizedTest
  @ValueSource(ints = {1, TreeFacts.COUNTED_BYTES})
  void treesOfOneLengthAndTime_haveOtherTags_andKeepThem(int length) throws Exception {
    store.close();
    Disk still =
        (Disk)
            Proxy.newProxyInstance(
                Disk.class.getClassLoader(),
                new Class<?>[] {Disk.class},
                (proxy, method, arguments) -> {
                  try {
                    Object result = method.invoke(Disk.real(), arguments);
                    return method.getName().equals("modified") ? 0L : result;
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    store = LocalStore.open(still, folder, options(), new Metrics());
    Set<String> tags = new HashSet<>();
    for (String name : List.of("x", "y", "z")) {
      complete("a", message(start(1), event(2, name.repeat(length)), end(3)));
      assertThat(tags.add(tag("a"))).isTrue();
      store.close();
      store = LocalStore.open(still, folder, options(), new Metrics());
      assertThat(tags).contains(tag("a"));
      appender("a").delete().assertStored();
    }
  }

  @Test
  void treeThatIsMadeAnew_byteForByte_hasAnotherTag() throws Exception {
    Batch batch = message(start(1), event(2, "x"), end(3));
    complete("a", batch);
    String tag = tag("a");
    appender("a").delete().assertStored();
    complete("a", batch);
    assertThat(tag("a")).isNotEqualTo(tag);
  }

  @Test
  void abandonedSession_isSoAfterReopen_alsoWhenSpilled() throws Exception {
    store.close();
    LocalStoreOptions small =
        new LocalStoreOptions(
            1_000, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);
    store = LocalStore.open(folder, small, new Metrics());
    Appender session = appender("a");
    session.append(message(start(1)));
    List<String> events = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      events.add(event(1000 - i, "x".repeat(40)));
      session.append(message(events.get(i))).assertStored();
    }
    session.abandon().assertStored();
    Collections.reverse(events);
    String tree =
        Messages.tree(1, 1000, events).replace("\"children\"", "\"abandoned\":true,\"children\"");
    assertThat(tree("a")).isEqualTo(tree);
    reopen();
    assertThat(tree("a")).isEqualTo(tree);
  }

  @Test
  void refusedAppend_isNotThereAfterReopen() throws Exception {
    Appender session = appender("a");
    session.append(message(start(100))).assertStored();
    session.appendExpecting(5, message(event(101, "no"), end(102))).assertRefused();
    SessionState state = store.state("a");
    reopen();
    assertThat(store.state("a")).isEqualTo(state);
  }

  @ParameterizedTest
  @CsvSource({"0, false", "1, false", "10, true", "400, false", "400, true"})
  void completeSession_hasEntriesAndWritersAfterReopen(int events, boolean named) throws Exception {
    Appender session = appender("a");
    session.append(message(start(0)), named ? "w" : null, 1);
    String nested = "{\"type\":\"EVENT\",\"timestamp\":1,\"name\":\"x\",\"a\":[{\"b\":[{}]}]}";
    Batch batch = message(nested, event(1, "x".repeat(1000)));
    IntStream.range(0, events).forEach(i -> session.append(batch, named ? "v" : null, 1 + i));
    session.append(message(end(2))).assertStored();
    assertThat(tree("a").length() > TreeFacts.COUNTED_BYTES).isEqualTo(events == 400);

    reopen();
    SessionState state = store.state("a");
    assertThat(state.phase()).isEqualTo(Phase.COMPLETE);
    assertThat(state.entries()).isEqualTo(2 + 2 * events);
    assertWriters("a", named ? Map.of("w", 1L, "v", (long) events) : Map.of());
    assertThat(store.open("a").state()).isEqualTo(state);
  }

  @Test
  void completeSession_ofLongNamesNumbersAndStrings_isCountedAfterReopen() throws Exception {
    String name = "n".repeat(100_000);
    String event =
        "{\"type\":\"EVENT\",\"timestamp\":1,\"name\":\"x\",\"%s\":\"%s\",\"number\":%s}"
            .formatted(name, name, "9".repeat(1000));
    complete("a", message(start(0), event, end(2)));
    assertThat(store.state("a").entries()).isEqualTo(3);
    reopen();
    assertThat(store.state("a").entries()).isEqualTo(3);
  }

  @Test
  void secondStoreOnOneFolder_isRefusedInOneLine_andTheFirstGoesOn() throws Exception {
    assertThatIOException()
        .isThrownBy(() -> LocalStore.open(folder, options(), new Metrics()))
        .withMessageMatching("\\S.*");
    complete("a", message(start(100), end(101)));
    reopen();
    assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
  }

  @Test
  void leftoversOfTreesBeingWritten_areRemoved() throws Exception {
    complete("a", message(start(100), end(101)));
    Path temporary = folder.resolve("tmp");
    Files.writeString(temporary.resolve("1.json"), "{\"type\":\"SESS");
    Files.writeString(temporary.resolve("2.facts"), "{");
    reopen();
    try (var left = Files.list(temporary)) {
      assertThat(left).isEmpty();
    }
    assertThat(tree("a")).isEqualTo(Messages.tree(100, 101, List.of()));
  }

  @Test
  void fileNames_ofIdsThatDifferInCaseOnly_differInMore() throws Exception {
    List<String> ids = List.of("ab", "Ab", "aB", "AB", "x".repeat(128), "X".repeat(128));
    for (String id : ids) {
      complete(id, message(start(100), event(1, id), end(101)));
    }
    List<String> names = new ArrayList<>();
    try (var files = Files.walk(folder.resolve("sessions"))) {
      files
          .filter(Files::isRegularFile)
          .forEach(file -> names.add(file.getFileName().toString().toLowerCase(Locale.ROOT)));
    }
    assertThat(names).hasSize(ids.size()).doesNotHaveDuplicates();
    for (String id : ids) {
      assertThat(tree(id)).contains("\"" + id + "\"");
    }
  }

  @Test
  void treeFile_holdsTheBytesOfTheTree() throws Exception {
    complete("a", message(start(100), event(1, "é"), end(101)));
    try (var files = Files.walk(folder.resolve("sessions"))) {
      Path file = files.filter(Files::isRegularFile).findAny().orElseThrow();
      assertThat(Files.readString(file)).isEqualTo(tree("a"));
    }
  }

  @Test
  void damagedTree_isRefusedByName() throws Exception {
    complete("a", message(start(100), end(101)));
    Path file;
    try (var files = Files.walk(folder.resolve("sessions"))) {
      file = files.filter(Files::isRegularFile).findAny().orElseThrow();
    }
    Files.writeString(file, "{\"type\":\"SESSION\",");
    assertThatIOException().isThrownBy(() -> store.tree("a")).withMessageContaining("a.json");
  }

  /** The real disk, on which no tree can be published while it is broken. */
  private static final class BreakableDisk {
    private final Disk real = Disk.real();
    private final CountDownLatch refused = new CountDownLatch(1);
    private volatile boolean broken = true;

    private final Disk disk =
        (Disk)
            Proxy.newProxyInstance(
                Disk.class.getClassLoader(), new Class<?>[] {Disk.class}, this::call);

    private Object call(Object proxy, Method method, Object[] arguments) throws Throwable {
      if (broken && method.getName().equals("rename")) {
        refused.countDown();
        throw new IOException("no space left");
      }
      try {
        return method.invoke(real, arguments);
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    }
  }

  @Test
  void end_whoseTreeCannotBePublished_hasItsResultWhenItCan() throws Exception {
    store.close();
    BreakableDisk breakable = new BreakableDisk();
    store = LocalStore.open(breakable.disk, folder, options(), new Metrics());
    Appender session = appender("a");
    RecordedResult ending = session.append(message(start(100), end(101)));
    assertThat(breakable.refused.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(ending.times()).isZero();
    assertThat(store.state("a").phase()).isEqualTo(Phase.ENDED);
    assertThat(store.tree("a")).isEmpty();

    breakable.broken = false;
    ending.assertStored();
    assertThat(tree("a")).isEqualTo(Messages.tree(100, 101, List.of()));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void deletion_ofASessionWhoseTreeCannotBePublished_isDone(boolean started) throws Exception {
    store.close();
    BreakableDisk breakable = new BreakableDisk();
    store = LocalStore.open(breakable.disk, folder, options(), new Metrics());
    RecordedResult ending = appender("a").append(message(start(100), end(101)));
    assertThat(breakable.refused.await(30, TimeUnit.SECONDS)).isTrue();
    if (started) { // the next start cannot publish it either
      store.close();
      store = LocalStore.open(breakable.disk, folder, options(), new Metrics());
    }
    Appender session = appender("a");
    RecordedResult behind = session.append(null);
    behind.assertHeld();
    Await.until("the failure is noted", () -> !store.healthy());
    session.delete().assertStored();
    behind.assertNoTree();
    if (!started) {
      ending.assertNoTree();
    }
    assertThat(store.healthy()).isTrue();
    breakable.broken = false;
    for (int i = 0; i < 2; i++) {
      assertThat(store.state("a")).isEqualTo(SessionState.NEW);
      assertThat(store.tree("a")).isEmpty();
      reopen();
    }
  }

  @Test
  void endedSession_whoseTreeCannotBePublishedAtTheStart_notifiesWatchersWhenItCan()
      throws Exception {
    endWithoutATree();
    BreakableDisk breakable = new BreakableDisk();
    store = LocalStore.open(breakable.disk, folder, options(), new Metrics());
    CompletableFuture<Long> entries = new CompletableFuture<>();
    new Sessions(store, Integer.MAX_VALUE, new Metrics())
        .acquire("a")
        .watch(Watching.completion(entries::complete));
    assertThat(entries).isNotDone();

    breakable.broken = false;
    assertThat(entries.get(10, TimeUnit.SECONDS)).isEqualTo(2);
    assertThat(tree("a")).isEqualTo(Messages.tree(100, 101, List.of()));
  }

  @Test
  void endedSession_whoseTreeWasNotPublished_isFinishedByTheNextStart() throws Exception {
    endWithoutATree();
    store = openStore();
    assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
    assertThat(tree("a")).isEqualTo(Messages.tree(100, 101, List.of()));
  }

  /** Leaves the folder of a process that stopped between the end of a session and its tree. */
  private void endWithoutATree() throws Exception {
    store.close();
    BreakableDisk breakable = new BreakableDisk();
    store = LocalStore.open(breakable.disk, folder, options(), new Metrics());
    appender("a").append(message(start(100), end(101)));
    assertThat(breakable.refused.await(30, TimeUnit.SECONDS)).isTrue();
    store.close();
  }

  /** The real disk, which records the names of published files. */
  private static final class WatchedDisk {
    private final Path folder;
    private final Set<String> placed = ConcurrentHashMap.newKeySet();

    private final Disk disk =
        (Disk)
            Proxy.newProxyInstance(
                Disk.class.getClassLoader(), new Class<?>[] {Disk.class}, this::call);

    WatchedDisk(Path folder) {
      this.folder = folder;
    }

    private Object call(Object proxy, Method method, Object[] arguments) throws Throwable {
      if (method.getName().equals("rename") && ((Path) arguments[1]).startsWith(folder)) {
        placed.add(((Path) arguments[1]).getFileName().toString());
      }
      try {
        return method.invoke(Disk.real(), arguments);
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    }
  }

  private interface Damage {
    void to(Path tree, Path facts) throws IOException;
  }

  /** What is there after a crash, and whether the tree is made anew. */
  static List<Arguments> leftTrees() {
    return List.of(
        Arguments.of(false, "both", (Damage) (tree, facts) -> {}),
        Arguments.of(true, "no tree", (Damage) (tree, facts) -> Files.delete(tree)),
        Arguments.of(true, "no facts", (Damage) (tree, facts) -> Files.delete(facts)),
        Arguments.of(
            true, "damaged facts", (Damage) (tree, facts) -> Files.writeString(facts, "{\"ent")),
        Arguments.of(
            true,
            "other facts",
            (Damage) (tree, facts) -> Files.writeString(facts, "{\"entries\":3,\"writers\":{}}")));
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("leftTrees")
  void treeThatIsThereAtTheStart_isKept_unlessItHasNotItsFacts(
      boolean again, String name, Damage damage) throws Exception {
    store.close();
    LocalStoreOptions large = new LocalStoreOptions(16 << 20, 16 << 20); // all stays in the log
    store = LocalStore.open(folder, large, new Metrics());
    for (int events : List.of(1, 400)) {
      String id = "s" + events;
      Appender session = appender(id);
      session.append(message(start(1)), "w", 1);
      session.append(message(event(3, "y")), "v", 7);
      Batch batch = message(event(2, "x".repeat(1000)));
      IntStream.range(0, events).forEach(i -> session.append(batch));
      session.append(message(end(3))).assertStored();
    }
    for (String id : List.of("s1", "s400")) {
      String tree = tree(id);
      String tag = tag(id);
      store.close();
      Path path = folder.resolve("sessions").resolve(TreePath.of(id));
      damage.to(path, path.resolveSibling(id + ".facts"));
      WatchedDisk watched = new WatchedDisk(folder.resolve("sessions"));
      store = LocalStore.open(watched.disk, folder, large, new Metrics());
      assertThat(watched.placed.remove(id + ".json")).isEqualTo(again);
      watched.placed.remove(id + ".facts");
      assertThat(watched.placed).isEmpty();
      assertThat(tree(id)).isEqualTo(tree);
      assertThat(tag(id)).isEqualTo(tag);
      assertWriters(id, Map.of("w", 1L, "v", 7L));
    }
  }

  /** A session begun anew: only the deleted session's tree exists, or only the new one's. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void treeOfAnotherSessionOfTheId_isNotTakenForItsOwn_atTheStart(boolean older) throws Exception {
    store.close();
    LocalStoreOptions large = new LocalStoreOptions(16 << 20, 16 << 20); // all stays in the log
    store = LocalStore.open(folder, large, new Metrics());
    Path path = folder.resolve("sessions").resolve(TreePath.of("a"));
    complete("a", message(start(1), event(2, "old"), end(3)));
    byte[] old = Files.readAllBytes(path);
    appender("a").delete().assertStored();
    complete("a", message(start(1), event(2, "new"), end(3)));
    store.close();
    if (older) { // neither its removal nor the new tree's name was durable
      Files.write(path, old);
    }
    for (int i = 0; i < 2; i++) {
      store = LocalStore.open(folder, large, new Metrics());
      assertThat(tree("a")).isEqualTo(Messages.tree(1, 3, List.of(event(2, "new"))));
      store.close();
    }
    store = LocalStore.open(folder, large, new Metrics());
    appender("a").delete().assertStored();
    store.close();
    Files.write(path, old);
    store = LocalStore.open(folder, large, new Metrics());
    assertThat(store.state("a")).isEqualTo(SessionState.NEW);
  }

  @Test
  void damagedLog_stopsTheStart_andTheFolderIsFreeAgain() throws Exception {
    for (int i = 0; i < 3; i++) {
      complete("s" + i, message(start(100), event(1, "x".repeat(5000)), end(101)));
    }
    store.close();
    Path oldest;
    try (var files = Files.list(folder.resolve("log"))) {
      oldest = files.sorted().findFirst().orElseThrow();
    }
    byte[] sound = Files.readAllBytes(oldest);
    byte[] damaged = sound.clone();
    damaged[sound.length / 2] ^= 1;
    Files.write(oldest, damaged);
    assertThatIOException()
        .isThrownBy(this::openStore)
        .withMessageContaining(oldest.getFileName().toString())
        .withMessageContaining("offset");

    Files.write(oldest, sound);
    store = openStore();
    assertThat(store.state("s0").phase()).isEqualTo(Phase.COMPLETE);
  }
}
