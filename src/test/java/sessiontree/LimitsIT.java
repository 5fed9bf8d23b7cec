package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that are too many, too slow, or send too much: their errors, and the cost to others. */
class LimitsIT {
  private static final int MAX_MESSAGE_BYTES = 10_000;
  private static final int MAX_CONNECTIONS = 20;
  private static final int MAX_OPEN_SESSIONS = 2;
  private static final String HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n";

  @TempDir static Path folder;
  private static JarServers servers;

  /** Has a low limit of message bytes, and a short request timeout. */
  private static JarServer strict;

  /** Has low limits of connections and of open sessions. */
  private static JarServer small;

  private final String id = newId();

  @BeforeAll
  static void startServers() throws Exception {
    servers = new JarServers(folder);
    strict =
        servers.get(
            "strict", "--request-timeout", "1s", "--max-message-bytes", "" + MAX_MESSAGE_BYTES);
    small =
        servers.get(
            "small",
            "--max-connections",
            "" + MAX_CONNECTIONS,
            "--max-open-sessions",
            "" + MAX_OPEN_SESSIONS);
  }

  @AfterAll
  static void endServers() throws Exception {
    servers.close();
  }

  // Heads

  @Test
  void headerFieldsBeyondTheLimit_areRefused() throws Exception {
    assertThat(RawHttp.send(strict.port(), "GET /health", "a:\r\n".repeat(98), "").status())
        .isEqualTo(200); // with Host and Connection, 100 fields
    assertProblem(
        RawHttp.send(strict.port(), "GET /health", "a:\r\n".repeat(99), ""),
        431,
        "invalid_parameter");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 8})
  void queryOfAStreamBeyondTheLimit_isRefused(int parameters) throws Exception {
    String stream = "/sessions/" + id + "/stream?writer=w";
    String others =
        IntStream.range(1, parameters).mapToObj(i -> "&a" + i).collect(Collectors.joining());
    String longest = "&" + "b".repeat(4_608 - "writer=w&".length());
    assertThat(RawHttp.upgrade(strict.port(), stream + others).status()).isEqualTo(101);
    assertProblem(
        RawHttp.upgrade(strict.port(), stream + others + (parameters > 1 ? "&c" : longest + "b")),
        400,
        "invalid_parameter");
  }

  // Time

  /** Writes byte by byte until the server closes the connection; fails if it does not. */
  private static void dribble(Socket socket, String bytes) throws IOException {
    socket.setSoTimeout(100); // the pause after each byte
    for (int i = 0; i < bytes.length(); i++) {
      try {
        socket.getOutputStream().write(bytes.charAt(i));
        if (socket.getInputStream().read() < 0) {
          return;
        }
        throw new AssertionError("answered, after byte " + i);
      } catch (SocketTimeoutException e) {
        // the connection is still open
      } catch (IOException e) {
        return; // reset
      }
    }
    throw new AssertionError("the server took every byte");
  }

  private static double dropped(JarServer server, String reason) throws Exception {
    return Scrape.of(server).own("connections_dropped_total{reason=\"" + reason + "\"}");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", HEALTH + "\r\n"})
  void headThatIsSentByteByByte_isNotWaitedFor_alsoBehindAnother(String before) throws Exception {
    double dropped = dropped(strict, "slow_head");
    try (Socket socket = RawHttp.open(strict.port())) {
      if (!before.isEmpty()) {
        write(socket, before);
        assertThat(RawHttp.read(socket).status()).isEqualTo(200);
      }
      dribble(socket, HEALTH + "X: " + "x".repeat(200));
    }
    Await.until("it is counted", () -> dropped(strict, "slow_head") == dropped + 1);
  }

  /** The length is announced as 8,192 bytes; the server also reads what follows its response. */
  @ParameterizedTest
  @CsvSource(
      value = {
        "Content-Length: 8192\\r\\n\\r\\n|''",
        "Transfer-Encoding: chunked\\r\\n\\r\\n2000\\r\\n|\\r\\n0\\r\\n\\r\\n"
      },
      delimiter = '|')
  void bodyThatIsSentByteByByte_isNotWaitedFor(String length, String end) throws Exception {
    double dropped = dropped(strict, "slow_body");
    try (Socket socket = RawHttp.open(strict.port())) {
      write(
          socket,
          "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\n%s"
              .formatted(id, length.translateEscapes()));
      socket.setSoTimeout(100); // the pause after each byte
      RawHttp response = null;
      String start = message(start(id));
      String rest = start + " ".repeat(8_192 - start.length());
      for (; response == null; rest = rest.substring(1)) {
        write(socket, rest.substring(0, 1));
        try {
          response = RawHttp.read(socket);
        } catch (SocketTimeoutException e) {
          // the server still waits for the body
        }
      }
      assertProblem(response, 408, "request_timeout");
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
      for (String one : (rest + end.translateEscapes()).split("")) {
        write(socket, one); // would fail if the connection was reset
      }
    }
    Await.until("it is counted", () -> dropped(strict, "slow_body") == dropped + 1);
    Await.until("its bytes are released", () -> Scrape.of(strict).own("inflow_bytes") == 0);
    assertThat(HttpResult.send(strict, "GET", "/sessions/" + id).status()).isEqualTo(404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", HEALTH + "\r\n", "GET /hea"})
  void idleConnection_isClosed(String before) throws Exception {
    try (Socket socket = RawHttp.open(strict.port())) {
      write(socket, before);
      if (before.endsWith("\r\n")) {
        assertThat(RawHttp.read(socket).status()).isEqualTo(200);
      }
      while (socket.getInputStream().read() >= 0) {} // reads to the end, past any response
    }
  }

  @Test
  void quietStream_isNotDropped_howeverQuickRequestsMustBe() throws Exception {
    try (RawStream stream = RawStream.connect(strict.port(), id)) {
      stream.next("OPEN");
      stream.send(RawStream.TEXT, false, "[".getBytes(StandardCharsets.US_ASCII));
      for (int i = 0; i < 3; i++) { // each takes longer than the request timeout
        idleConnection_isClosed(HEALTH + "\r\n");
      }
      String rest = message(start(id)).substring(1);
      stream.send(RawStream.CONTINUATION, true, rest.getBytes(StandardCharsets.US_ASCII));
      stream.ack(1);
    }
  }

  // Size

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** Starts a thread that sends {@code times} parts, or fewer if the server takes no more. */
  private static Thread sendMuch(OutputStream out, byte[] part, int times) {
    Thread sender =
        new Thread(
            () -> {
              try {
                for (int i = 0; i < times; i++) {
                  out.write(part);
                }
              } catch (IOException e) {
                // the test checks the response
              }
            },
            "sender");
    sender.setDaemon(true);
    sender.start();
    return sender;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Length: 20000000\r\n\r\n",
        "Content-Length: 10001\r\n\r\n",
        "Connection: close\r\nContent-Length: 20000000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      })
  void bodyThatIsTooBig_isRefused_whileItIsStillSent(String length) throws Exception {
    boolean chunked = length.contains("chunked");
    String part = " ".repeat(10_000);
    byte[] sent = (chunked ? "2710\r\n" + part + "\r\n" : part).getBytes(StandardCharsets.US_ASCII);
    try (Socket socket = RawHttp.open(strict.port())) {
      write(
          socket,
          "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\n%s".formatted(id, length));
      Thread sender =
          sendMuch(socket.getOutputStream(), sent, length.contains("10001") ? 1 : 2_000);
      sender.join();
      assertProblem(RawHttp.read(socket), 413, "message_too_big");
    }
  }

  @Test
  void bodyThatIsTooBig_isNotAskedFor() throws Exception {
    String head =
        "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\nExpect: 100-continue\r\n\r\n";
    assertProblem(RawHttp.exchange(strict.port(), head.formatted(id)), 413, "message_too_big");
  }

  @Test
  void frameThatIsTooBig_isRefused_whileItIsStillSent() throws Exception {
    byte[] frame = RawStream.frame(RawStream.TEXT, true, new byte[20_000_000]);
    try (RawStream stream = RawStream.connect(strict.port(), id)) {
      stream.next("OPEN");
      stream.send(message(start(id)));
      stream.ack(1);
      stream.write(frame);
      assertTooBig(stream);
    }
  }

  @Test
  void messageOfManyFragments_thatIsTooBig_isRefused() throws Exception {
    try (RawStream stream = RawStream.connect(strict.port(), id)) {
      stream.next("OPEN");
      stream.send(message(start(id)));
      stream.ack(1);
      stream.send(RawStream.TEXT, false, new byte[5_000]);
      for (int i = 0; i < 1_000; i++) {
        stream.send(RawStream.CONTINUATION, false, new byte[5_000]);
      }
      assertTooBig(stream);
    }
  }

  private void assertTooBig(RawStream stream) throws Exception {
    JsonNode error = stream.next("ERROR");
    assertThat(error.path("code").asText()).isEqualTo("message_too_big");
    assertThat(error.path("message").asLong()).isEqualTo(2);
    assertThat(stream.closeCode()).isEqualTo(1009);
    assertThat(HttpResult.send(strict, "GET", "/sessions/" + id).status()).isEqualTo(409);
  }

  // Number

  @Test
  void connectionsBeyondTheLimit_areRefused_andTakenAgainWhenOthersHaveGone() throws Exception {
    List<AutoCloseable> held = new ArrayList<>();
    try {
      Await.until("none are left of other tests", () -> Scrape.of(small).own("connections") <= 1);
      Await.until("all are taken", () -> hold(held));
      assertThat(held).hasSizeBetween(MAX_CONNECTIONS - 2, MAX_CONNECTIONS);
      assertProblem(RawHttp.get(small.port(), "/health"), 503, "too_many_connections");
      assertProblem(
          RawHttp.upgrade(small.port(), "/sessions/" + id + "/stream"),
          503,
          "too_many_connections");
      for (int i = 0; i < 10 * MAX_CONNECTIONS; i++) { // many more cost nothing
        held.add(RawHttp.open(small.port()));
      }
      ((RawStream) held.get(1)).send("[]");
      ((RawStream) held.get(1)).next("OPEN");
      ((RawStream) held.get(1)).next("ERROR");
    } finally {
      for (AutoCloseable one : held) {
        one.close();
      }
    }
    Await.until("there is room", this::isTaken);
    Scrape metrics = Scrape.of(small);
    assertThat(metrics.own("connections_limit")).isEqualTo(MAX_CONNECTIONS);
    assertThat(metrics.own("connections")).isLessThan(MAX_CONNECTIONS);
    assertThat(
            metrics.own("requests_refused_total{class=\"server\",code=\"too_many_connections\"}"))
        .isGreaterThanOrEqualTo(2);
  }

  private boolean isTaken() throws Exception {
    try {
      return RawHttp.get(small.port(), "/health").status() == 200
          && RawHttp.upgrade(small.port(), "/sessions/" + id + "/stream").status() == 101
          && Scrape.of(small).own("connections") < MAX_CONNECTIONS / 2;
    } catch (IOException e) { // the server has not noticed yet that others are closed
      return false;
    }
  }

  /** Opens one more connection and keeps it; returns whether it was refused as one too many. */
  private boolean hold(List<AutoCloseable> held) throws IOException {
    if (held.size() % 2 == 1) {
      if (RawHttp.upgrade(small.port(), "/sessions/" + id + "/stream").status() == 503) {
        return true;
      }
      held.add(RawStream.connect(small.port(), id));
      return false;
    }
    Socket socket = RawHttp.open(small.port());
    write(socket, HEALTH + "\r\n");
    boolean tooMany = RawHttp.read(socket).status() == 503;
    if (tooMany) {
      socket.close();
    } else {
      held.add(socket);
    }
    return tooMany;
  }

  @Test
  void sessionsBeyondTheLimit_areRefused_andTakenAgainWhenOthersHaveEnded() throws Exception {
    String[] ids = {newId(), newId(), newId()};
    assertThat(begin(ids[0]).status()).isEqualTo(200);
    assertThat(begin(ids[1]).status()).isEqualTo(200);
    assertProblem(begin(ids[2]), 503, "too_many_sessions");
    try (RawStream stream = RawStream.connect(small.port(), ids[2])) {
      stream.next("OPEN");
      stream.send(message(start(ids[2])));
      JsonNode error = stream.next("ERROR");
      assertThat(error.path("code").asText()).isEqualTo("too_many_sessions");
      assertThat(error.path("message").asLong()).isEqualTo(1);
      assertThat(send(ids[0], event("1", "e")).status()).as("open already").isEqualTo(200);

      assertThat(send(ids[0], end(ids[0])).status()).isEqualTo(200);
      Await.until("one may be opened", () -> begin(ids[2]).status() == 200);
      stream.send(message(event("1", "e")));
      stream.ack(2);
    }
    assertProblem(begin(newId()), 503, "too_many_sessions");
    Scrape metrics = Scrape.of(small);
    assertThat(metrics.own("sessions_open")).isEqualTo(MAX_OPEN_SESSIONS);
    assertThat(metrics.own("sessions_open_limit")).isEqualTo(MAX_OPEN_SESSIONS);
    assertThat(metrics.own("messages_refused_total{code=\"too_many_sessions\"}"))
        .isGreaterThanOrEqualTo(3);
    for (int i = 1; i < 3; i++) {
      RawHttp.send(small.port(), "DELETE /sessions/" + ids[i], "", "");
    }
    String next = newId();
    Await.until("one may be opened", () -> begin(next).status() == 200);
    RawHttp.send(small.port(), "DELETE /sessions/" + next, "", "");
  }

  private static RawHttp begin(String id) throws IOException {
    return send(id, start(id));
  }

  private static RawHttp send(String id, String entry) throws IOException {
    return RawHttp.post(small.port(), "/sessions/" + id + "/events", message(entry));
  }
}
