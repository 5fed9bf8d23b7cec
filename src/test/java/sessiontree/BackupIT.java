package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Copies the store with {@code src/main/scripts/backup.sh} while clients open, complete and delete
 * sessions, then starts servers on the copies. The clients are so fast and the limits so small that
 * the server always spills and checkpoints. Skipped if rsync is missing: see {@link Programs}.
 */
@Timeout(120)
class BackupIT {
  private static final int BACKUPS = 2;
  private static final int CLIENTS = 3;
  private static final int SESSIONS_BETWEEN = 20;
  private static final int MESSAGES = 12;
  private static final int DEADLINE_SECONDS = 60;
  private static final String[] SMALL = {"--memory-bytes=65536", "--log-bytes=1048576"};
  private static final String SCRIPT =
      Path.of("src", "main", "scripts", "backup.sh").toAbsolutePath().toString();
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  private final Map<String, Sent> sessions = new ConcurrentHashMap<>();
  private final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();
  private volatile boolean ending;

  /** What was acknowledged of a session; {@code deleting} is true once deletion is requested. */
  private record Sent(int messages, boolean complete, boolean deleting, boolean deleted) {}

  /** A client that posts session after session, leaves some open, and deletes some. */
  private final class Client implements Runnable {
    private final String prefix;
    private final int port;
    private volatile int count;

    Client(int number, int port) {
      this.prefix = "c" + number + "-";
      this.port = port;
    }

    @Override
    public void run() {
      try {
        while (!ending) {
          session(prefix + count, count);
          count++;
        }
      } catch (Throwable e) {
        failures.add(e);
      }
    }

    private void session(String id, int number) throws IOException {
      boolean ends = number % 3 > 0;
      for (int i = 1; i <= MESSAGES; i++) {
        boolean last = ends && i == MESSAGES;
        post(port, id, i, sent(id, i, last));
        sessions.put(id, new Sent(i, last, false, false));
      }
      if (number % 4 == 0) {
        sessions.put(id, new Sent(MESSAGES, ends, true, false));
        assertThat(RawHttp.send(port, "DELETE /sessions/" + id, "", "").status()).isEqualTo(204);
        sessions.put(id, new Sent(MESSAGES, ends, true, true));
      }
    }
  }

  private static String post(int port, String id, int number, String message) throws IOException {
    RawHttp response =
        RawHttp.post(port, "/sessions/" + id + "/events?writer=w&message=" + number, message);
    assertThat(response.status()).as("%s: %s", id, response.body()).isIn(200, 409);
    return response.body();
  }

  private static String sent(String id, int number, boolean last) {
    List<String> entries = new ArrayList<>();
    if (number == 1) {
      entries.add(start(id));
    }
    entries.add(child(id, number, 0));
    entries.add(child(id, number, 1));
    if (last) {
      entries.add(end(id));
    }
    return message(entries.toArray(String[]::new));
  }

  private static int second(int number, int child) {
    return (number * 7 + child) % 5;
  }

  private static String child(String id, int number, int child) {
    return event("" + second(number, child), id + "/" + number + "." + child + "x".repeat(200));
  }

  /** Returns the tree of a session's first {@code messages} messages and {@code later} events. */
  private static String expected(String id, int messages, String... later) {
    List<String> children = new ArrayList<>();
    for (int second = 0; second < 5; second++) {
      for (int number = 1; number <= messages; number++) {
        for (int i = 0; i < 2; i++) {
          if (second(number, i) == second) {
            children.add(child(id, number, i));
          }
        }
      }
    }
    children.addAll(List.of(later));
    return tree(children.toArray(String[]::new));
  }

  @Test
  void backupOfARunningServer_hasWhatWasAcknowledgedBefore_once_andIsGoneOnWith() throws Exception {
    Programs.find("rsync", "apt-get install rsync");
    Path store = folder.resolve("store");
    Path backup = folder.resolve("backup");
    List<Thread> threads = new ArrayList<>();
    List<Copied> copies = new ArrayList<>();
    try (JarServer server = JarServer.start(store, SMALL)) {
      List<Client> clients = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        clients.add(new Client(i, server.port()));
        threads.add(new Thread(clients.get(i), "client " + i));
      }
      threads.forEach(Thread::start);
      try {
        for (int i = 1; i <= BACKUPS; i++) {
          awaitSessions(clients, i * SESSIONS_BETWEEN);
          Map<String, Sent> before = Map.copyOf(sessions);
          Programs.run(folder, List.of(SCRIPT, store.toString(), backup.toString())).orFail();
          Map<String, Sent> after = Map.copyOf(sessions);
          assertThat(backup.resolve("runs")).as("it spills").isNotEmptyDirectory();
          Path restored = folder.resolve("restored" + i);
          Programs.run(folder, List.of("cp", "-a", backup.toString(), restored.toString()))
              .orFail();
          copies.add(new Copied(restored, before, after));
        }
      } finally {
        ending = true;
        for (Thread thread : threads) {
          thread.join(TimeUnit.SECONDS.toMillis(DEADLINE_SECONDS));
        }
      }
      assertThat(failures).isEmpty();
    }
    for (Copied copy : copies) {
      check(copy.store, copy.before, copy.after);
    }
  }

  @Test
  void backupOfALogThatIsWrittenWhileItIsRead_endsBeforeWhatWasNotThereYet() throws Exception {
    String rsync = Programs.find("rsync", "apt-get install rsync");
    Path store = folder.resolve("store");
    Path backup = folder.resolve("backup");
    try (JarServer server = JarServer.start(store)) {
      post(server.port(), "a", 1, sent("a", 1, false));
      Path segment;
      try (Stream<Path> files = Files.list(store.resolve("log"))) {
        segment = files.findFirst().orElseThrow();
      }
      long from = logged(segment);
      post(server.port(), "a", 2, sent("a", 2, false));
      long to = logged(segment);
      post(server.port(), "a", 3, sent("a", 3, false));
      Path script = Files.createDirectory(folder.resolve("bin")).resolve("rsync");
      Files.writeString(
          script,
          """
          #!/bin/sh
          # Copies as if the second message had come between the reading of its place and of the third's.
          %s "$@" || exit
          for folder; do :; done
          case $folder in
            */log/) dd if=/dev/zero of="${folder}%s" bs=1 seek=%d count=%d conv=notrunc ;;
          esac
          """
              .formatted(rsync, segment.getFileName(), from, to - from));
      assertThat(script.toFile().setExecutable(true)).isTrue();
      String path = "PATH=" + script.getParent() + ":" + System.getenv("PATH");
      Programs.run(folder, List.of("env", path, SCRIPT, store.toString(), backup.toString()))
          .orFail();
    }
    try (JarServer restored = JarServer.start(backup)) {
      String skipping = post(restored.port(), "a", 4, message(event("5", "far")));
      assertThat(JSON.readTree(skipping).path("expected").asInt()).isEqualTo(2);
      post(restored.port(), "a", 2, sent("a", 2, false));
      post(restored.port(), "a", 3, sent("a", 3, true));
      assertThat(RawHttp.get(restored.port(), "/sessions/a").body()).isEqualTo(expected("a", 3));
    }
  }

  /** Returns the end offset of the records in the active segment: only zeros follow them. */
  private static long logged(Path segment) throws IOException {
    byte[] content = Files.readAllBytes(segment);
    int end = content.length;
    while (content[end - 1] == 0) {
      end--;
    }
    return end;
  }

  /** A copy, and what was acknowledged before and after it was made. */
  private record Copied(Path store, Map<String, Sent> before, Map<String, Sent> after) {}

  private void awaitSessions(List<Client> clients, int count) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
    while (clients.stream().anyMatch(client -> client.count < count)) {
      assertThat(failures.poll(10, TimeUnit.MILLISECONDS)).isNull();
      assertThat(System.nanoTime()).as("the clients get on").isLessThan(deadline);
    }
  }

  private void check(Path restored, Map<String, Sent> before, Map<String, Sent> after)
      throws Exception {
    Map<String, Integer> open = new LinkedHashMap<>();
    try (JarServer server = JarServer.start(restored, SMALL)) {
      for (Map.Entry<String, Sent> one : before.entrySet()) {
        String id = one.getKey();
        Sent sent = one.getValue();
        RawHttp response = RawHttp.get(server.port(), "/sessions/" + id);
        switch (response.status()) {
          case 200 -> {
            assertThat(sent.deleted).as(id).isFalse();
            assertThat(response.body()).isEqualTo(expected(id, MESSAGES));
          }
          case 409 -> {
            assertThat(sent.deleted || sent.complete).as("%s is open", id).isFalse();
            int next =
                JSON.readTree(post(server.port(), id, 1_000_000, message(event("5", "far"))))
                    .path("expected")
                    .asInt();
            assertThat(next).as(id).isGreaterThan(sent.messages);
            post(server.port(), id, next, message(event("6", "new")));
            open.put(id, next);
          }
          case 404 -> assertThat(after.get(id).deleting).as("%s is gone", id).isTrue();
          default -> throw new AssertionError(id + ": " + response);
        }
      }
      server.kill();
    }
    assertThat(open).isNotEmpty();
    try (JarServer server = JarServer.start(restored, SMALL)) {
      for (Map.Entry<String, Integer> one : open.entrySet()) {
        String id = one.getKey();
        post(server.port(), id, one.getValue() + 1, message(end(id)));
        assertThat(RawHttp.get(server.port(), "/sessions/" + id).body())
            .isEqualTo(expected(id, one.getValue() - 1, event("6", "new")));
      }
    }
  }
}
