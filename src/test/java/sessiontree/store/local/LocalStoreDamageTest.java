package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.Await;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.Appender;
import sessiontree.store.Listing;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.log.Checksum;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FileHeader;

/**
 * Damage to run files and trees: what is refused, and with which message. Damage to the log has a
 * test of its own.
 */
class LocalStoreDamageTest {
  private static final LocalStoreOptions SMALL =
      new LocalStoreOptions(
          2_000, 16 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);

  @TempDir Path folder;

  /** Number of entries of the session that {@link #spilled} made. */
  private int entries;

  @Test
  void runFile_cutAnywhere_stopsTheStartByName_andIsSoundAgainWhenRestored() throws Exception {
    Path run = spilled();
    byte[] sound = Files.readAllBytes(run);
    for (int size = 0; size < sound.length; size += 1 + size / 40) {
      Files.write(run, Arrays.copyOf(sound, size));
      assertRefused(run.getFileName().toString(), "cut to " + size);
    }
    Files.write(run, sound);
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      assertThat(store.state("a").entries()).isEqualTo(entries);
    }
  }

  @Test
  void runFile_withAFlippedByteInHeaderOrIndex_stopsTheStartByName() throws Exception {
    Path run = spilled();
    byte[] sound = Files.readAllBytes(run);
    int index = (int) ByteBuffer.wrap(sound).getLong(sound.length - RunFile.FOOTER_BYTES);
    for (int at = 0; at < sound.length; at++) {
      if (at < RunFile.HEADER_BYTES || at >= index) {
        byte[] flipped = sound.clone();
        flipped[at] ^= 0x40;
        Files.write(run, flipped);
        assertRefused(run.getFileName().toString(), "flipped at " + at);
      }
    }
  }

  @Test
  void fileOfAnotherFormat_stopsTheStart_andIsNamedAsSuch() throws Exception {
    assertOtherFormatIsRefused(spilled(), RunFile.HEADER_BYTES - 4);
    try (var segments = Files.list(folder.resolve("log"))) {
      Path segment =
          segments
              .filter(path -> path.toString().endsWith(".wal"))
              .max(Path::compareTo)
              .orElseThrow();
      assertOtherFormatIsRefused(segment, 24);
    }
  }

  @Test
  void runFileOfAnEarlierVersion_whoseHeaderWasLonger_isNamedAsSuch() throws Exception {
    Path run = spilled();
    byte[] old = Files.readAllBytes(run);
    ByteBuffer.wrap(old).put("sessiontree.run2".getBytes(StandardCharsets.US_ASCII));
    Files.write(run, old);
    assertRefused("expected format sessiontree.run3, got sessiontree.run2: another version", "old");
  }

  private void assertOtherFormatIsRefused(Path file, int checksumAt) throws IOException {
    byte[] sound = Files.readAllBytes(file);
    byte[] other = sound.clone();
    other[FileHeader.FORMAT_BYTES - 1]++;
    ByteBuffer.wrap(other).putInt(checksumAt, Checksum.of(other, 0, checksumAt));
    Files.write(file, other);
    assertRefused(
        file.getFileName() + ": at offset 0: expected format sessiontree.", "of another format");
    Files.write(file, sound);
  }

  @Test
  void runFile_thatIsMissing_stopsTheStart() throws Exception {
    Files.delete(spilled());
    assertRefused("session a", "missing");
  }

  @Test
  void tree_cutOrEmpty_isNotServed() throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Session session = new Sessions(store, Integer.MAX_VALUE, new Metrics()).acquire("a");
      submit(session, "{'type':'SESSION_START','timestamp':1,'session_id':'a'}");
      submit(session, "{'type':'SESSION_END','timestamp':2,'session_id':'a'}");
      assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
      Path tree = folder.resolve("sessions").resolve(TreePath.of("a"));
      byte[] sound = Files.readAllBytes(tree);
      for (int size = 0; size < sound.length; size++) {
        Files.write(tree, Arrays.copyOf(sound, size));
        assertThatThrownBy(() -> store.tree("a"))
            .as("cut to " + size)
            .isInstanceOf(DamageException.class)
            .hasMessageContaining("a.json");
      }
    }
  }

  /** Damage to the files of a complete session, and whether its tree is still served. */
  static List<Arguments> damagedTrees() {
    return List.of(
        Arguments.of("empty", false, (Damage) (tree, facts) -> Files.write(tree, new byte[0])),
        Arguments.of(
            "cut",
            false,
            (Damage) (tree, facts) -> Files.writeString(tree, "{\"type\":\"SESSION\"")),
        Arguments.of("other facts", true, (Damage) (tree, facts) -> Files.writeString(facts, "{")),
        Arguments.of(
            "null facts", true, (Damage) (tree, facts) -> Files.writeString(facts, "null")),
        Arguments.of("no writers", true, (Damage) (tree, facts) -> Files.writeString(facts, "{}")),
        Arguments.of(
            "no number",
            true,
            (Damage)
                (tree, facts) ->
                    Files.writeString(facts, "{\"entries\":3,\"writers\":{\"w\":null}}")),
        Arguments.of(
            "no JSON",
            true,
            (Damage)
                (tree, facts) -> {
                  Files.writeString(tree, "{\"type\":\"SESSION\",,]}");
                  Files.delete(facts);
                }));
  }

  private interface Damage {
    void to(Path tree, Path facts) throws IOException;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("damagedTrees")
  void completeSession_thatIsDamaged_canBeDeleted_andItsIdUsedAnew(
      String name, boolean served, Damage damage) throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      complete(store, "a");
      complete(store, "b");
      Path tree = folder.resolve("sessions").resolve(TreePath.of("a"));
      damage.to(tree, TreePath.facts(tree));
      if (served) {
        store.tree("a").orElseThrow().close();
      } else {
        assertThatThrownBy(() -> store.tree("a")).isInstanceOf(IOException.class);
      }
      assertThat(store.state("a").phase()).isEqualTo(Phase.DAMAGED);
      assertThat(store.list(Listing.Query.oldest(Listing.Filter.ALL, null, 10)).sessions())
          .extracting(Listing.Listed::id)
          .contains("b");
      assertThat(store.healthy()).isTrue();

      new Appender(store.open("a")).delete().assertStored();
      assertThat(store.state("a")).isEqualTo(SessionState.NEW);
      assertThat(store.tree("a")).isEmpty();
      complete(store, "a");
      assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
    }
  }

  private static void complete(LocalStore store, String id) throws Exception {
    Appender session = new Appender(store.open(id));
    session.append(message(start(1)), "w", 1);
    session.append(message(event(2, "x"), end(3))).assertStored();
  }

  /** Damages each run of a session, at an offset from the index. Returns false if it has none. */
  private boolean damageRuns(String id) throws IOException {
    boolean found = false;
    for (Path path : Disk.real().list(folder.resolve("runs"))) {
      RunFile run = RunFile.open(Disk.real(), path);
      RunIndex index = run.index();
      byte[] bytes = Files.readAllBytes(path);
      for (RunEntry entry; (entry = index.next()) != null; ) {
        if (entry.id().equals(id) && entry.length() > 0) {
          bytes[(int) (entry.offset() + entry.length() - 1)] ^= 1;
          found = true;
        }
      }
      run.release();
      Files.write(path, bytes);
    }
    return found;
  }

  /** Leaves a folder with sessions a and b, parts of both in run files; those of a are damaged. */
  private void leaveDamagedRuns() throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      for (String id : List.of("a", "b")) {
        new Appender(store.open(id)).append(message(start(1)), "w", 1).assertStored();
      }
    }
    do { // until a part of session a is spilled
      try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
        append(store, "b", 30);
        append(store, "a", 30);
        append(store, "b", 30);
      }
    } while (!damageRuns("a"));
  }

  private static void append(LocalStore store, String id, int events) throws Exception {
    Appender session = new Appender(store.open(id));
    for (int i = 0; i < events; i++) {
      session.append(message(event(i, "x".repeat(300)))).assertStored();
    }
  }

  @Test
  void endOfASessionWhoseRunsAreDamaged_hasItsResult_andTheSessionCanBeDeleted() throws Exception {
    leaveDamagedRuns();
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Appender session = new Appender(store.open("a"));
      RecordedResult ending = session.append(message(end(9)));
      RecordedResult behind = session.append(null);
      ending.assertHeld();
      ending.assertNoTree();
      // The append behind it gets noTree if it waited for the tree. If it came after the damage was
      // known, there was nothing to store.
      Await.until("the append behind it has a result", () -> behind.times() == 1);
      assertDamaged(store);
      assertNoTrouble(store, "b");
    }
    for (int i = 0; i < 2; i++) { // each start finds the damage
      try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
        assertDamaged(store);
        assertNoTrouble(store, "c" + i);
      }
    }
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      new Appender(store.open("a")).delete().assertStored();
      assertThat(store.state("a")).isEqualTo(SessionState.NEW);
      complete(store, "a");
    }
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
    }
  }

  private static void assertDamaged(LocalStore store) throws Exception {
    Await.until("it is damaged", () -> store.state("a").phase() == Phase.DAMAGED);
    assertThatThrownBy(() -> store.tree("a")).isInstanceOf(IOException.class);
    assertThat(store.list(Listing.Query.oldest(Listing.Filter.ALL, null, 100)).sessions())
        .extracting(Listing.Listed::id)
        .doesNotContain("a");
    assertThat(store.healthy()).isTrue();
  }

  /** Checks that more than log and memory hold is stored, merged, and purged once deleted. */
  private static void assertNoTrouble(LocalStore store, String id) throws Exception {
    if (store.state(id).phase() == Phase.NEW) {
      new Appender(store.open(id)).append(message(start(1))).assertStored();
    }
    append(store, id, 200);
    new Appender(store.open(id)).append(message(end(1_000))).assertStored();
    assertThat(store.healthy()).isTrue();
    new Appender(store.open(id)).delete().assertStored();
  }

  @Test
  void deletionOfADamagedSession_survivesARestart() throws Exception {
    leaveDamagedRuns();
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Appender session = new Appender(store.open("a"));
      session.append(message(end(9)));
      session.delete().assertStored();
    }
    for (int i = 0; i < 2; i++) {
      try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
        assertThat(store.state("a")).isEqualTo(SessionState.NEW);
        assertThat(store.openSessions()).isEqualTo(1);
      }
    }
  }

  @Test
  void openSession_thatIsDamaged_keepsNoOthersFromBeingMergedAndSwept() throws Exception {
    leaveDamagedRuns();
    LocalStoreOptions swept =
        new LocalStoreOptions(
            2_000, 16 << 10, 4, Duration.ofMillis(1), Duration.ofMillis(1), System::nanoTime);
    try (LocalStore store = LocalStore.open(folder, swept, new Metrics())) {
      for (int i = 0; i < 5; i++) {
        assertNoTrouble(store, "c" + i);
      }
      assertNoTrouble(store, "b");
      String runs = "no runs are left but those of a";
      Await.until(runs, () -> sessionsInRuns().equals(Set.of("a")));
      new Appender(store.open("a")).append(message(end(9))).assertNoTree();
      new Appender(store.open("a")).delete().assertStored();
      Await.until("no runs are left", () -> sessionsInRuns().isEmpty());
      assertThat(store.healthy()).isTrue();
    }
  }

  private Set<String> sessionsInRuns() throws IOException {
    Set<String> ids = new HashSet<>();
    for (Path path : Disk.real().list(folder.resolve("runs"))) {
      try {
        RunFile run = RunFile.open(Disk.real(), path);
        RunIndex index = run.index();
        for (RunEntry entry; (entry = index.next()) != null; ) {
          ids.add(entry.id());
        }
        run.release();
      } catch (NoSuchFileException e) {
        // the file was merged, or is not needed any more
      }
    }
    return ids;
  }

  /** Makes a store with one session, a part of which is only in a run file; returns that file. */
  private Path spilled() throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Session session = new Sessions(store, Integer.MAX_VALUE, new Metrics()).acquire("a");
      submit(session, "{'type':'SESSION_START','timestamp':1,'session_id':'a'}");
      entries = 1;
      while (entries < 61 || Files.exists(folder.resolve("log/0000000000000001.wal"))) {
        submit(session, "{'type':'EVENT','timestamp':" + entries++ + ",'name':'an event'}");
      }
    }
    try (var files = Files.list(folder.resolve("runs"))) {
      return files.min(Path::compareTo).orElseThrow();
    }
  }

  private static void submit(Session session, String entry) throws Exception {
    byte[] message = ("[" + entry.replace('\'', '"') + "]").getBytes(StandardCharsets.UTF_8);
    Batch batch = MessageParser.parse(message, 0, message.length, session.id());
    CompletableFuture<Long> stored = new CompletableFuture<>();
    session.submit(null, false, List.of(new Message(0, batch, null)), new Received(stored));
    stored.get(1, TimeUnit.MINUTES);
  }

  private record Received(CompletableFuture<Long> results) implements Reply {
    @Override
    public void stored(int messages, long entries, boolean complete) {
      results.complete(entries);
    }

    @Override
    public void refused(ProblemException problem) {
      results.completeExceptionally(problem);
    }

    @Override
    public void flush() {}
  }

  private void assertRefused(String name, String damage) {
    assertThatThrownBy(() -> LocalStore.open(folder, SMALL, new Metrics()).close())
        .as(damage)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(name);
  }
}
