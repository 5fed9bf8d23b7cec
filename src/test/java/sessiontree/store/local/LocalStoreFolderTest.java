package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.Await;
import sessiontree.TreeText;
import sessiontree.metrics.Metrics;
import sessiontree.store.Appender;
import sessiontree.store.Expirable;
import sessiontree.store.Listing;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.log.Disk;

/** A folder that is changed by others while a store uses it. */
class LocalStoreFolderTest {
  private static final LocalStoreOptions SMALL =
      new LocalStoreOptions(
          20_000, 64 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);

  @TempDir Path above;
  private Path folder;
  private LocalStore store;

  @BeforeEach
  void open() throws IOException {
    folder = above.resolve("store");
    store = LocalStore.open(folder, SMALL, new Metrics());
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  private Appender begin(String id) throws Exception {
    Appender session = new Appender(store.open(id));
    session.append(message(start(1)), "w", 1).assertStored();
    return session;
  }

  private void complete(String id) throws Exception {
    begin(id).append(message(event(2, "x"), end(3))).assertStored();
    assertThat(TreeText.of(store.tree(id).orElseThrow())).contains("\"x\"");
  }

  private static void remove(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private void spill() throws Exception {
    Appender large = begin("large");
    Path runs = folder.resolve("runs");
    Await.until(
        "something is spilled",
        () -> {
          large.append(message(event(1, "x".repeat(2_000)))).assertStored();
          try (Stream<Path> files = Files.list(runs)) {
            return files.findAny().isPresent();
          }
        });
  }

  @Test
  void filesAndFolders_areTheirOwnersOnly() throws Exception {
    complete("a");
    spill();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
            .as(file.toString())
            .isEqualTo(Files.isDirectory(file) ? "rwx------" : "rw-------");
      }
    }
  }

  @Test
  void folderThatIsThere_keepsItsPermissions() throws Exception {
    store.close();
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-x---"));
    store = LocalStore.open(folder, SMALL, new Metrics());
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
        .isEqualTo("rwxr-x---");
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmp", "sessions/5c", "sessions"})
  void folderThatIsRemoved_isMadeAgain_whenItIsNeeded(String name) throws Exception {
    complete(TreePath.of("z").startsWith("5c/") ? "z" : "first");
    Path removed = folder.resolve(name);
    if (Files.exists(removed)) {
      remove(removed);
    }
    for (int i = 0; i < 300; i++) { // some of them are in the removed folder
      complete("s" + i);
    }
    spill();
    assertThat(store.healthy()).isTrue();
  }

  @Test
  void strayFiles_arePassedOver() throws Exception {
    complete("a");
    Path trees = folder.resolve("sessions");
    Path own = trees.resolve(TreePath.of("a")).getParent();
    Path q = trees.resolve(TreePath.of("q"));
    for (Path directory : List.of(trees, own)) {
      for (String name :
          List.of(
              ".DS_Store",
              ".json",
              "x.json.bak",
              "a+zz.json",
              "a+1.json",
              "b+-1.json",
              "ä.json",
              "a b.json",
              "x".repeat(200) + ".json",
              "zz.json")) {
        Files.writeString(directory.resolve(name), "{}");
      }
    }
    assertThat(store.completeFor(Duration.ZERO, 10))
        .extracting(Expirable.Seen::id)
        .containsExactly("a");
    Files.createDirectories(q);
    Files.createDirectories(trees.resolve("zz").resolve("more"));

    assertThat(store.list(Listing.Query.oldest(Listing.Filter.ALL, null, 10)).sessions())
        .extracting(Listing.Listed::id)
        .containsExactly("a");
    assertThat(store.tree("q")).isEmpty();
    assertThat(store.state("q").phase()).isEqualTo(Phase.NEW);
    store.close();
    store = LocalStore.open(folder, SMALL, new Metrics());
    assertThat(store.list(Listing.Query.oldest(Listing.Filter.COMPLETE, null, 10)).sessions())
        .hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "log"})
  void storeWhoseFolderIsRemoved_takesNothing_andIsNotHealthy(String removed) throws Exception {
    Appender session = begin("a");
    remove(folder.resolve(removed));
    RecordedResult refused = session.append(message(event(2, "x")));
    refused.assertRefused();
    assertThat(store.healthy()).isFalse();
    new Appender(store.open("b")).append(message(start(1), end(2))).assertRefused();
    assertThat(Files.exists(folder)).isEqualTo(!removed.isEmpty());
  }

  @Test
  void storeWhoseFolderIsRemoved_isNotHealthy_alsoWhenNothingIsSent() throws Exception {
    Path aside = above.resolve("aside");
    Files.move(folder, aside);
    Await.until("it is noticed", () -> !store.healthy());
    Files.createDirectories(folder.resolve("log"));
    for (Path file : Disk.real().list(aside.resolve("log"))) {
      Files.copy(file, folder.resolve("log").resolve(file.getFileName()));
    }
    begun("b").assertRefused();

    remove(folder);
    Files.move(aside, folder);
    Await.until("it is noticed", () -> store.healthy());
    begun("b").assertStored();
  }

  private RecordedResult begun(String id) throws IOException {
    return new Appender(store.open(id)).append(message(start(1)));
  }
}
