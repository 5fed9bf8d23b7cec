package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** SIGTERM at the worst moments. The server must exit within 10 seconds. */
class ShutdownIT {
  private static final int STREAMS = 5_000;
  private static final int BUSY = 500;
  private static final int MESSAGES = 40; // of each busy stream
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration LIMIT = Duration.ofSeconds(10);

  @TempDir private Path folder;

  private JarServer startServer() throws Exception {
    return JarServer.start(folder.resolve("store"));
  }

  private static String id(int stream) {
    return "s" + stream;
  }

  /** Waits until the server exits, which it must do within the limit and without problems. */
  private static void assertEnds(JarServer server, long askedNanos) throws Exception {
    assertThat(server.awaitExit()).isZero();
    assertThat(Duration.ofNanos(System.nanoTime() - askedNanos)).isLessThan(LIMIT);
    assertThat(server.errors()).doesNotContain("WARN", "ERROR");
  }

  private static void assertEntries(JarServer server, int stream, long entries) throws Exception {
    RawHttp reply = RawHttp.get(server.port(), "/sessions/" + id(stream));
    assertThat(reply.body()).contains("\"entries\":" + entries + "}");
  }

  @Test
  void fiveThousandStreams_areAcknowledgedAndClosed_andNothingAcknowledgedIsLost()
      throws Exception {
    RawStream[] streams = new RawStream[STREAMS];
    AtomicIntegerArray acknowledged = new AtomicIntegerArray(STREAMS);
    try (Crowd crowd = new Crowd(STREAMS);
        Crowd busy = new Crowd(BUSY)) {
      try (JarServer server = startServer()) {
        crowd.each(
            i -> {
              streams[i] = RawStream.connect(server.port(), id(i));
              streams[i].next("OPEN");
              streams[i].send(message(start(id(i))));
            });
        crowd.each(i -> streams[i].ack(1));
        busy.each(
            i -> {
              for (int m = 0; m < MESSAGES; m++) {
                streams[i].send(message(event("" + m, id(i))));
              }
            });
        long asked = System.nanoTime();
        server.askToEnd();
        crowd.each(i -> acknowledged.set(i, (int) untilClosed(streams[i], i < BUSY)));
        assertEnds(server, asked);
      }
      try (JarServer server = startServer()) {
        crowd.each(i -> assertEntries(server, i, acknowledged.get(i)));
      }
    } finally {
      for (RawStream stream : streams) {
        if (stream != null) {
          stream.close();
        }
      }
    }
  }

  /** Reads up to the close frame. Returns the number of messages acknowledged, including START. */
  private static long untilClosed(RawStream stream, boolean busy) throws Exception {
    long acknowledged = 1;
    try (stream) {
      for (RawStream.Frame frame; (frame = stream.read()).opcode() != RawStream.CLOSE; ) {
        if (frame.opcode() == RawStream.TEXT) {
          assertThat(busy).isTrue();
          JsonNode ack = JSON.readTree(frame.payload());
          assertThat(ack.path("type").asText()).isEqualTo("ACK");
          acknowledged = ack.path("messages").asLong();
        }
      }
      return acknowledged;
    }
  }

  @Test
  void streamsThatSayNothingToTheClose_andClientsThatDoNotRead_doNotHoldItUp() throws Exception {
    List<RawStream> streams = new ArrayList<>();
    AtomicBoolean ended = new AtomicBoolean();
    try (JarServer server = startServer()) {
      for (int i = 0; i < 50; i++) {
        RawStream stream = RawStream.connect(server.port(), id(i));
        streams.add(stream);
        stream.next("OPEN");
        stream.send(message(start(id(i))));
      }
      RawStream flooding = RawStream.connect(server.port(), "flooding");
      streams.add(flooding);
      Thread flood = new Thread(() -> flood(flooding, ended), "flood");
      flood.setDaemon(true);
      flood.start();
      streams.get(0).ack(1);
      long asked = System.nanoTime();
      server.askToEnd();
      assertEnds(server, asked);
    } finally {
      ended.set(true);
      for (RawStream stream : streams) {
        stream.close();
      }
    }
  }

  /** Sends messages that are refused, and reads none of the errors. */
  private static void flood(RawStream stream, AtomicBoolean ended) {
    try {
      while (!ended.get()) {
        stream.send("x".repeat(1_000));
      }
    } catch (IOException e) {
      // the server has gone
    }
  }

  @Test
  void requestsThatWaitForASession_getResponsesOrAreClosed() throws Exception {
    List<Socket> waiting = new ArrayList<>();
    try (JarServer server = startServer()) {
      RawHttp.post(server.port(), "/sessions/open/events", message(start("open")));
      for (int i = 0; i < 50; i++) {
        Socket socket = RawHttp.open(server.port());
        waiting.add(socket);
        String get = "GET /sessions/open HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n\r\n";
        socket.getOutputStream().write(get.getBytes(StandardCharsets.US_ASCII));
      }
      Await.until("all are connected", () -> Scrape.of(server).own("connections") > 50);
      long asked = System.nanoTime();
      server.askToEnd();
      for (Socket socket : waiting) {
        String reply = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(reply).matches("(?s)|HTTP/1\\.1 (409|503) .*");
      }
      assertEnds(server, asked);
    } finally {
      for (Socket socket : waiting) {
        socket.close();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", ""})
  void postsWhoseBodiesAreIncomplete_areNotStored_andAreToldSo(String begun) throws Exception {
    try (JarServer server = startServer();
        Socket socket = RawHttp.open(server.port())) {
      String post = "POST /sessions/a/events HTTP/1.1\r\nHost: localhost\r\n";
      String head = post + "Content-Length: 100\r\n\r\n";
      socket.getOutputStream().write((head + begun).getBytes(StandardCharsets.US_ASCII));
      Await.until("it is connected", () -> Scrape.of(server).own("connections") > 1);
      long asked = System.nanoTime();
      server.askToEnd();
      JsonNode problem = assertProblem(RawHttp.read(socket), 503, "storage_unavailable");
      assertThat(problem.path("detail").asText()).contains("stopping", "nothing", "was stored");
      assertEnds(server, asked);
    }
  }

  @Test
  void posts_areStoredIfTheyAreAcknowledged() throws Exception {
    int clients = 8;
    AtomicIntegerArray stored = new AtomicIntegerArray(clients);
    AtomicIntegerArray sent = new AtomicIntegerArray(clients);
    try (Crowd crowd = new Crowd(clients)) {
      try (JarServer server = startServer()) {
        crowd.each(
            i -> {
              try {
                while (true) {
                  String entry = sent.get(i) == 0 ? start(id(i)) : event("1", "e");
                  sent.incrementAndGet(i);
                  RawHttp reply =
                      RawHttp.post(server.port(), "/sessions/" + id(i) + "/events", message(entry));
                  if (reply.status() == 503) {
                    assertThat(reply.body()).contains("nothing was stored");
                    sent.decrementAndGet(i);
                    return;
                  }
                  assertThat(reply.status()).as(reply.body()).isEqualTo(200);
                  if (stored.incrementAndGet(i) == 50 && i == 0) {
                    server.askToEnd();
                  }
                }
              } catch (IOException e) {
                // the server accepts no more requests
              }
            });
        assertThat(server.awaitExit()).isZero();
      }
      try (JarServer server = startServer()) {
        for (int i = 0; i < clients; i++) {
          RawHttp reply = RawHttp.get(server.port(), "/sessions/" + id(i));
          if (stored.get(i) > 0) {
            long entries = JSON.readTree(reply.body()).path("entries").asLong();
            assertThat(entries).isBetween((long) stored.get(i), (long) sent.get(i));
          }
        }
      }
    }
  }
}
