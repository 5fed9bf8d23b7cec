package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bodies that come late, slowly, never or compressed, and who has to wait for them. */
class BodiesIT {
  private static final int MAX_MESSAGE_BYTES = 1 << 20;

  @TempDir static Path folder;
  private static JarServers servers;

  /** Has a low bound on in-flight bytes. */
  private static JarServer narrow;

  private final String id = newId();

  @BeforeAll
  static void startServers() throws Exception {
    servers = new JarServers(folder);
    narrow = servers.get("narrow", "--inflow-bytes=65536");
  }

  @AfterAll
  static void endServers() throws Exception {
    servers.close();
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(UTF_8));
  }

  private static String head(String request, String headers) {
    return request + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
  }

  private String post(String headers) {
    return head("POST /sessions/" + id + "/events", headers);
  }

  private static void assertOthersAreServed() throws Exception {
    String other = newId();
    String whole = message(start(other), event("1", "x".repeat(20_000)), end(other));
    assertThat(RawHttp.post(narrow.port(), "/sessions/" + other + "/events", whole).status())
        .isEqualTo(200);
    try (RawStream stream = RawStream.connect(narrow.port(), newId())) {
      stream.next("OPEN");
      stream.send("[]");
      stream.next("ERROR");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n"})
  void bodiesOfWhichOneByteHasCome_takeNoRoomFromOthers(String length) throws Exception {
    List<Socket> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 100; i++) {
        Socket socket = RawHttp.open(narrow.port());
        slow.add(socket);
        write(socket, post(length) + (length.startsWith("T") ? "f4240\r\n[" : "["));
      }
      Await.until("all have come", () -> Scrape.of(narrow).own("inflow_bytes") >= 100);
      assertThat(Scrape.of(narrow).own("inflow_bytes")).isLessThan(20_000);
      assertOthersAreServed();
    } finally {
      for (Socket socket : slow) {
        socket.close();
      }
    }
    Await.until(
        "their in-flight bytes are released", () -> Scrape.of(narrow).own("inflow_bytes") == 0);
  }

  @Test
  void bodiesOfRequestsThatTakeNone_areNotWaitedFor() throws Exception {
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < 100; i++) {
        Socket socket = RawHttp.open(narrow.port());
        sockets.add(socket);
        write(socket, head("GET /health", "Content-Length: 1000000\r\n") + "x");
        assertThat(RawHttp.read(socket).status()).isEqualTo(200);
      }
      assertThat(Scrape.of(narrow).own("inflow_bytes")).isZero();
      assertOthersAreServed();
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  @Test
  void bodiesThatComeLate_areAllTaken() throws Exception {
    int clients = 64;
    int messages = 5;
    RawHttp.post(narrow.port(), "/sessions/" + id + "/events", message(start(id)));
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    try {
      List<Future<?>> sent = new ArrayList<>();
      List<Socket> sockets = new ArrayList<>();
      for (int i = 0; i < clients; i++) {
        sockets.add(RawHttp.open(narrow.port()));
      }
      for (int m = 0; m < messages; m++) {
        for (Socket socket : sockets) {
          write(socket, post("Transfer-Encoding: chunked\r\n"));
        }
        for (Socket socket : sockets) { // all heads have been sent by now
          sent.add(
              threads.submit(
                  () -> {
                    String body = message(event("2", "late"));
                    write(
                        socket,
                        Integer.toHexString(body.length()) + "\r\n" + body + "\r\n0\r\n\r\n");
                    assertThat(RawHttp.read(socket).status()).isEqualTo(200);
                    return null;
                  }));
        }
        for (Future<?> one : sent) {
          one.get();
        }
        sent.clear();
      }
      for (Socket socket : sockets) {
        socket.close();
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(RawHttp.get(narrow.port(), "/sessions/" + id).body())
        .contains("\"entries\":" + (1 + clients * messages) + "}");
  }

  /** Each body exceeds the bound on in-flight bytes, for which all wait; each must get its turn. */
  @Test
  void bodiesThatAreLargerThanTheRoom_areAllTaken() throws Exception {
    int clients = 8;
    RawHttp.post(narrow.port(), "/sessions/" + id + "/events", message(start(id)));
    String body = message(event("2", "x".repeat(500_000)));
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    try {
      List<Future<RawHttp>> sent = new ArrayList<>();
      for (int i = 0; i < clients; i++) {
        String path = "/sessions/" + id + "/events";
        sent.add(threads.submit(() -> RawHttp.post(narrow.port(), path, body)));
      }
      for (Future<RawHttp> one : sent) {
        assertThat(one.get().status()).isEqualTo(200);
      }
    } finally {
      threads.shutdownNow();
    }
    Await.until(
        "their in-flight bytes are released", () -> Scrape.of(narrow).own("inflow_bytes") == 0);
  }

  /** The rest of these messages never comes, and they hold in-flight bytes that others need. */
  @Test
  void streamsThatNeverEndTheirMessages_areDropped_whereRoomIsShort() throws Exception {
    List<RawStream> streams = new ArrayList<>();
    try (JarServer server = JarServer.start(folder.resolve("short"), "--inflow-bytes=65536")) {
      for (int i = 0; i < 16; i++) {
        RawStream stream = RawStream.connect(server.port(), "endless" + i);
        streams.add(stream);
        stream.next("OPEN");
        stream.send(RawStream.TEXT, false, new byte[3_000]);
      }
      assertThat(Scrape.of(server).own("inflow_bytes")).isGreaterThan(40_000);
      Await.until(
          "in-flight bytes are below half the limit",
          () -> Scrape.of(server).own("inflow_bytes") <= 32_768);
      assertThat(Scrape.of(server).own("connections_dropped_total{reason=\"slow_message\"}"))
          .isPositive();
    } finally {
      for (RawStream stream : streams) {
        stream.close();
      }
    }
  }

  @Test
  void bodyThatStalls_gets408() throws Exception {
    JarServer hasty = servers.get("hasty", "--request-timeout", "1s");
    try (Socket socket = RawHttp.open(hasty.port())) {
      write(socket, post("Content-Length: 100\r\n") + "[");
      assertProblem(RawHttp.read(socket), 408, "request_timeout");
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    }
    assertThat(hasty.errors()).doesNotContain("Exception");
  }

  @Test
  void bodyThatWaitsForRoom_isNotSlow() throws Exception {
    try (JarServer server =
            JarServer.start(
                folder.resolve("full"), "--inflow-bytes=65536", "--request-timeout", "1s");
        RawStream stream = RawStream.connect(server.port(), newId())) {
      stream.next("OPEN");
      stream.send(RawStream.TEXT, false, new byte[70_000]); // dropped after 10 s
      Await.until("no room is left", () -> Scrape.of(server).own("inflow_bytes") >= 65_536);
      RawHttp response =
          RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id)));
      if (response.status() != 200) { // it has waited for 10 s
        assertThat(assertProblem(response, 503, "storage_unavailable").path("detail").asText())
            .contains("nothing of this message was stored");
      }
    }
  }

  // Encodings

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(UTF_8));
    }
    return bytes.toByteArray();
  }

  private RawHttp post(String headers, byte[] body) throws IOException {
    try (Socket socket = RawHttp.open(narrow.port())) {
      write(socket, post(headers + "Content-Length: " + body.length + "\r\n"));
      socket.getOutputStream().write(body);
      return RawHttp.read(socket);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gzip", "GZIP", "x-gzip", "identity, gzip"})
  void gzippedBody_isDecoded(String coding) throws Exception {
    byte[] body = gzip(message(start(id), event("1", "é"), end(id)));
    assertThat(post("Content-Encoding: " + coding + "\r\n", body).status()).isEqualTo(200);
    assertThat(RawHttp.get(narrow.port(), "/sessions/" + id).body())
        .isEqualTo(Entries.tree(event("1", "é")));
  }

  @Test
  void gzippedBody_isLimitedByWhatComesOutOfIt() throws Exception {
    byte[] bomb = gzip("[" + " ".repeat(MAX_MESSAGE_BYTES) + "]");
    assertThat(bomb.length).isLessThan(10_000);
    assertProblem(post("Content-Encoding: gzip\r\n", bomb), 413, "message_too_big");
  }

  @Test
  void bodyThatIsNoGzip_isRefused() throws Exception {
    byte[] plain = message(start(id)).getBytes(UTF_8);
    assertProblem(post("Content-Encoding: gzip\r\n", plain), 400, "invalid_json");
    byte[] cut = gzip(message(start(id)));
    cut = java.util.Arrays.copyOf(cut, cut.length - 9);
    assertProblem(post("Content-Encoding: gzip\r\n", cut), 400, "invalid_json");
  }

  /** The JDK inflates empty members by recursion, up to an overflow of the stack. */
  @Test
  void gzippedBodyOfThousandsOfEmptyMembers_isRefused() throws Exception {
    ByteArrayOutputStream members = new ByteArrayOutputStream();
    byte[] empty = gzip("");
    while (members.size() < MAX_MESSAGE_BYTES - empty.length) {
      members.write(empty);
    }
    assertProblem(post("Content-Encoding: gzip\r\n", members.toByteArray()), 400, "invalid_json");
    assertThat(narrow.errors()).doesNotContain("StackOverflowError");
  }

  @ParameterizedTest
  @ValueSource(strings = {"br", "deflate", "gzip, gzip", "zstd"})
  void otherEncodings_areRefused(String coding) throws Exception {
    RawHttp response = post("Content-Encoding: " + coding + "\r\n", new byte[] {1, 2});
    assertProblem(response, 415, "unsupported_encoding");
    assertThat(response.headers()).containsEntry("accept-encoding", "gzip");
  }
}
