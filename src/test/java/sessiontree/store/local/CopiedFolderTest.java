package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.metrics.Metrics;
import sessiontree.store.Appender;
import sessiontree.store.SessionState;

/** A folder assembled from copies of different moments. */
class CopiedFolderTest {
  @TempDir Path folder;

  private static LocalStore open(Path folder) throws IOException {
    return LocalStore.open(
        folder,
        new LocalStoreOptions(
            64 << 10, 1 << 20, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime),
        new Metrics());
  }

  /** Such a log would assign LSNs that runs cover, and the next start would skip those records. */
  @Test
  void logOlderThanTheRuns_isRefused() throws Exception {
    Path store = folder.resolve("store");
    Path older = folder.resolve("older");
    try (LocalStore running = open(store)) {
      Appender session = new Appender(running.open("a"));
      session.append(message(start(1))).assertStored();
      copy(store.resolve("log"), older);
      while (list(store.resolve("runs")).isEmpty()) {
        session.append(message(event(2, "x".repeat(1000)))).assertStored();
      }
    }
    copy(older, store.resolve("log"));
    assertThatIOException()
        .isThrownBy(() -> open(store).close())
        .withMessageMatching(
            "the log ends at record 1, but run files hold data of record [0-9]+:"
                + " the end of the log is missing");
  }

  @Test
  void logThatGoesOnBehindTheRuns_isGoneOnWith() throws Exception {
    Path store = folder.resolve("store");
    Path older = folder.resolve("older");
    SessionState state;
    try (LocalStore running = open(store)) {
      Appender session = new Appender(running.open("a"));
      session.append(message(start(1))).assertStored();
      while (list(store.resolve("runs")).isEmpty()) {
        session.append(message(event(2, "x".repeat(1000)))).assertStored();
      }
      copy(store.resolve("runs"), older);
      while (list(store.resolve("runs")).size() < 2) {
        session.append(message(event(2, "x".repeat(1000)))).assertStored();
      }
      state = running.state("a");
    }
    copy(older, store.resolve("runs"));
    for (int i = 0; i < 2; i++) {
      try (LocalStore copied = open(store)) {
        assertThat(copied.state("a")).isEqualTo(state);
        new Appender(copied.open("a")).append(message(event(3, "new"))).assertStored();
        state = copied.state("a");
      }
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    if (Files.exists(to)) {
      for (Path file : list(to)) {
        Files.delete(file);
      }
    }
    Files.createDirectories(to);
    for (Path file : list(from)) {
      Files.copy(file, to.resolve(file.getFileName()));
    }
  }

  private static List<Path> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }
}
