package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.Await;
import sessiontree.Messages;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.metrics.Metrics;
import sessiontree.store.Appender;
import sessiontree.store.log.Disk;
import sessiontree.store.log.WriteAheadLog;

/** Checks that the manual's example is what the log writes, and its table of threads complete. */
class ManualTest {
  private static final Path MANUAL =
      Path.of("src/main/java/sessiontree/store/local/package-info.java");

  @TempDir Path directory;

  @Test
  void manualsExample_isWhatTheLogWrites() throws Exception {
    String message =
        "[{\"type\":\"SESSION_START\",\"timestamp\":1569972082,\"session_id\":\"a\"},"
            + "{\"type\":\"EVENT\",\"timestamp\":1569972083,\"name\":\"cart_loaded\"}]";
    byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
    Batch batch = MessageParser.parse(bytes, 0, bytes.length, "a");
    try (WriteAheadLog log = new WriteAheadLog(Disk.real(), directory, 1 << 20)) {
      log.recover((lsn, body) -> true);
      log.add(
          new LogRecord(
              LogRecord.Type.APPEND,
              1,
              5000,
              "a",
              0,
              "w",
              1,
              new Begin(batch.start(), 1_792_404_000_000_000L),
              null,
              batch.count(),
              batch.children()));
      log.commit();
    }
    String written =
        HexFormat.of().formatHex(Files.readAllBytes(directory.resolve("0000000000000001.wal")));
    assertThat(example()).isEqualTo(written);
  }

  @Test
  void threadsOfAStore_areThoseOfTheManualsTable() throws Exception {
    Set<Thread> before = Thread.getAllStackTraces().keySet();
    LocalStoreOptions small =
        new LocalStoreOptions(
            2_000, 1 << 20, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);
    try (LocalStore store = LocalStore.open(directory, small, new Metrics())) {
      AtomicInteger sessions = new AtomicInteger();
      Await.until(
          "each thread of the table lives",
          () -> {
            fill(new Appender(store.open("s" + sessions.incrementAndGet())), 100);
            fill(new Appender(store.open("s" + sessions.incrementAndGet())), 0);
            return living(before).containsAll(threadsOfTheTable());
          });
      assertThat(living(before)).isEqualTo(threadsOfTheTable());
    }
  }

  /** Appends events, of which some are spilled if there are many, and ends the session. */
  private static void fill(Appender session, int events) throws InterruptedException {
    session.append(Messages.message(Messages.start(1)));
    for (int i = 0; i < events; i++) {
      session.append(Messages.message(Messages.event(2, "view")));
    }
    session.append(Messages.message(Messages.event(2, "view"))).assertStored();
    session.append(Messages.message(Messages.end(3))).assertStored();
  }

  private static Set<String> living(Set<Thread> before) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> !before.contains(thread))
        .map(Thread::getName)
        .collect(Collectors.toSet());
  }

  private static Set<String> threadsOfTheTable() throws IOException {
    String manual = Files.readString(MANUAL);
    String table = manual.substring(manual.indexOf("<h2>Threads</h2>"));
    return Pattern.compile("<tr><td>(\\w+)<td>")
        .matcher(table.substring(0, table.indexOf("</table>")))
        .results()
        .map(row -> row.group(1))
        .collect(Collectors.toSet());
  }

  /** Returns the hex digits of the lines that begin with a four-digit offset and a colon. */
  private static String example() throws IOException {
    return Files.readAllLines(MANUAL).stream()
        .filter(line -> line.matches(" \\* {3}[0-9a-f]{4}: .*"))
        .map(line -> line.substring(10, Math.min(line.length(), 58)).replace(" ", ""))
        .collect(Collectors.joining());
  }
}
