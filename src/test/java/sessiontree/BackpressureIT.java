package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients wait if they send faster than they read, or if others have used up the bound on in-flight
 * bytes. No other client waits.
 */
class BackpressureIT {
  private static final int MESSAGE_BYTES = 1000;

  /** Far more than TCP buffers for a connection, far less than a client could send meanwhile. */
  private static final long BOUND_BYTES = 100 << 20;

  @TempDir Path folder;

  @Test
  void clientThatNeverReads_isNotReadFromAnyMore_andDisturbsNobody() throws Exception {
    try (JarServer server = JarServer.start(folder);
        RawStream stream = RawStream.connect(server.port(), "deaf")) {
      AtomicLong sent = new AtomicLong();
      Thread writer = new Thread(() -> sendForever(stream, sent), "writer");
      writer.setDaemon(true);
      writer.start();
      for (long before = -1; before != sent.get(); ) {
        before = sent.get();
        writer.join(TimeUnit.SECONDS.toMillis(2));
      }
      assertThat(sent.get() * MESSAGE_BYTES).isLessThan(BOUND_BYTES);

      String whole =
          Entries.message(Entries.start("other"), Entries.event("2", "e"), Entries.end("other"));
      assertThat(RawHttp.post(server.port(), "/sessions/other/events", whole).status())
          .isEqualTo(200);

      stream.next("OPEN");
      long stopped = sent.get();
      for (long message = 1; sent.get() == stopped || message < 1000; message++) {
        JsonNode error = stream.next("ERROR");
        assertThat(error.path("message").asLong()).isEqualTo(message);
      }
    }
  }

  private static void sendForever(RawStream stream, AtomicLong sent) {
    try {
      while (true) {
        stream.send("x".repeat(MESSAGE_BYTES));
        sent.incrementAndGet();
      }
    } catch (IOException e) {
      // the test has ended
    }
  }

  @Test
  void messagesBehindTheEnd_areFreedOnce() throws Exception {
    try (JarServer server = JarServer.start(folder)) {
      String behind = "[" + Entries.event("2", "e".repeat(900_000)) + "]";
      for (int i = 0; i < 40; i++) {
        String id = "ended" + i;
        try (RawStream stream = RawStream.connect(server.port(), id)) {
          stream.send(Entries.message(Entries.start(id), Entries.end(id)));
          stream.send(behind);
          stream.next("OPEN");
          stream.next("COMPLETE");
        } catch (IOException e) {
          // the server may close the stream before it has read the second message
        }
      }
      Await.until("no stream is open", () -> Scrape.of(server).own("streams") == 0);
      Await.until("in-flight bytes are 0", () -> Scrape.of(server).own("inflow_bytes") == 0);
    }
  }

  @Test
  void largeMessagesOfManyClients_beyondTheInflow_areAllTaken() throws Exception {
    int clients = 60;
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    try (JarServer server = JarServer.start(folder, "--inflow-bytes=65536")) {
      List<Callable<Long>> tasks = new ArrayList<>();
      for (int i = 0; i < clients; i++) {
        String id = "large" + i;
        tasks.add(() -> sendLarge(server, id));
      }
      for (Future<Long> entries : threads.invokeAll(tasks)) {
        assertThat(entries.get()).isEqualTo(2002);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static long sendLarge(JarServer server, String id) throws Exception {
    List<String> entries = new ArrayList<>(List.of(Entries.start(id)));
    for (int i = 0; i < 2000; i++) {
      entries.add(Entries.event("" + i, "a name that makes the message longer: " + i));
    }
    entries.add(Entries.end(id));
    try (RawStream stream = RawStream.connect(server.port(), id)) {
      stream.next("OPEN");
      stream.send(Entries.message(entries.toArray(String[]::new)));
      return stream.complete().path("entries").asLong();
    }
  }

  @Test
  void streamsThatAreReset_beforeTheirAcks_areGone() throws Exception {
    try (JarServer server = JarServer.start(folder)) {
      for (int i = 0; i < 300; i++) {
        RawStream stream = RawStream.connect(server.port(), "reset" + i);
        stream.next("OPEN");
        stream.send(Entries.message(Entries.start("reset" + i)));
        stream.reset();
      }
      Await.until("no stream is open", () -> Scrape.of(server).own("streams") == 0);
      assertThat(Scrape.of(server).own("inflow_bytes")).isZero();
    }
  }

  @Test
  void unfinishedMessages_toASessionThatCannotBeRead_leaveNothing() throws Exception {
    try (JarServer server = JarServer.start(folder.resolve("store"))) {
      String whole = Entries.message(Entries.start("cut"), Entries.end("cut"));
      String path = "/sessions/cut/events";
      assertThat(RawHttp.post(server.port(), path, whole).status()).isEqualTo(200);
      cutTree();
      for (int i = 0; i < 5; i++) {
        try (RawStream stream = RawStream.connect(server.port(), "cut")) {
          stream.send(RawStream.TEXT, false, new byte[100_000]);
        }
      }
      Await.until("no stream is open", () -> Scrape.of(server).own("streams") == 0);
      assertThat(Scrape.of(server).own("inflow_bytes")).isZero();
    }
  }

  /** Cuts a byte off the only tree. */
  private void cutTree() throws IOException {
    try (Stream<Path> files = Files.walk(folder.resolve("store").resolve("sessions"))) {
      Path tree = files.filter(Files::isRegularFile).findFirst().orElseThrow();
      byte[] bytes = Files.readAllBytes(tree);
      Files.write(tree, Arrays.copyOf(bytes, bytes.length - 1));
    }
  }
}
