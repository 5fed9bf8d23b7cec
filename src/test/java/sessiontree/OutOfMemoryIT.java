package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clients that send more than the heap of the server can hold, which is 64 MB or less. */
class OutOfMemoryIT {
  private static final int FAULT = 70;

  @TempDir private Path folder;

  private JarServer.Launch server() {
    return JarServer.of(folder.resolve("store")).java("-Xmx64m");
  }

  private static void assertOutOfMemory(JarServer server) throws Exception {
    assertThat(server.awaitExit()).isEqualTo(FAULT);
    assertThat(server.errors()).contains("sessiontree: out of memory, the process ends");
  }

  /** Lifts the bound on buffered events. Threads of the store and of Jetty run out of memory. */
  @Test
  void eventsThatFillTheHeap_endTheProcess() throws Exception {
    try (JarServer server = server().flags("--memory-bytes=1000000000").start()) {
      String id = newId();
      RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id)));
      String large = message(event("1", "x".repeat(200_000)));
      try (Socket socket = RawHttp.open(server.port())) {
        discardReplies(socket);
        for (int i = 0; i < 500; i++) {
          socket.getOutputStream().write(post(id, large));
        }
      } catch (IOException e) {
        // the process has ended
      }
      assertOutOfMemory(server);
    }
  }

  /** Lifts the bound on in-flight bytes. Only Jetty's threads run out of memory. */
  @Test
  void messagesThatAreNotWhole_andFillTheHeap_endTheProcess() throws Exception {
    List<RawStream> streams = new ArrayList<>();
    try (JarServer server = server().flags("--inflow-bytes=1000000000").start()) {
      try {
        for (int i = 0; i < 120; i++) {
          RawStream stream = RawStream.connect(server.port(), newId());
          streams.add(stream);
          stream.next("OPEN");
          stream.send(RawStream.TEXT, false, new byte[900_000]);
        }
      } catch (IOException | AssertionError e) {
        // the process has ended
      }
      assertOutOfMemory(server);
    } finally {
      for (RawStream stream : streams) {
        stream.close();
      }
    }
  }

  /** The limit is what the heap has room for: one session for each 4 KiB, which is known to fit. */
  @Test
  void sessionsThatAreTooManyForTheHeap_areRefused_alsoAfterARestartWithLess() throws Exception {
    try (JarServer server = server().java("-Xmx32m").start()) {
      int limit = (int) Scrape.of(server).own("sessions_open_limit");
      assertThat(limit).isBetween(6_000, 8_192); // the garbage collector reserves some of the 32 MB
      IntStream.range(0, limit + 500)
          .parallel()
          .mapToObj("%0128d"::formatted)
          .forEach(id -> begin(server, id));
      assertThat(Scrape.of(server).own("sessions_open")).isGreaterThanOrEqualTo(limit);
      assertTooManySessions(server);
      server.kill();
    }
    try (JarServer server = server().flags("--max-open-sessions=100").start()) {
      assertThat(Scrape.of(server).own("sessions_open")).isGreaterThan(6_000);
      assertTooManySessions(server);
      String open = "%0128d".formatted(0);
      RawHttp more =
          RawHttp.post(server.port(), "/sessions/" + open + "/events", message(event("1", "e")));
      assertThat(more.status()).as(more.body()).isEqualTo(200);
    }
  }

  /** Starts a session. Concurrent calls form groups, each of which costs one force. */
  private static void begin(JarServer server, String id) {
    try {
      RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void assertTooManySessions(JarServer server) throws Exception {
    String id = newId();
    RawHttp refused =
        RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id)));
    assertProblem(refused, 503, "too_many_sessions");
    assertThat(RawHttp.get(server.port(), "/health").status()).isEqualTo(200);
  }

  private static byte[] post(String id, String message) {
    String head =
        "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n";
    return (head.formatted(id, message.length()) + message).getBytes(StandardCharsets.US_ASCII);
  }

  private static void discardReplies(Socket socket) throws IOException {
    InputStream responses = socket.getInputStream();
    Thread reader =
        new Thread(
            () -> {
              try {
                responses.transferTo(OutputStream.nullOutputStream());
              } catch (IOException e) {
                // the connection is closed
              }
            },
            "answers");
    reader.setDaemon(true);
    reader.start();
  }
}
