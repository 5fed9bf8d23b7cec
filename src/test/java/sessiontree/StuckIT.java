package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions that end while no tree can be written but the log can, as on a nearly full disk. */
class StuckIT {
  @TempDir Path folder;
  private Path temporary;
  private JarServer server;

  @BeforeEach
  void startServer() throws Exception {
    temporary = folder.resolve("store").resolve("tmp");
    server = JarServer.start(folder.resolve("store"));
    post("a", message(start("a"), event("1", "x"))); // so that appends no longer need tmp/
    post("b", message(start("b"), event("1", "x")));
    for (Path file : Files.list(temporary).toList()) {
      Files.delete(file);
    }
    Files.delete(temporary);
    Files.writeString(temporary, "in the place of a folder");
  }

  @AfterEach
  void stopServer() throws Exception {
    server.close();
  }

  private RawHttp post(String id, String message) throws IOException {
    return RawHttp.post(server.port(), "/sessions/" + id + "/events", message);
  }

  private int status(String requestLine) throws IOException {
    return RawHttp.send(server.port(), requestLine, "", "").status();
  }

  @Test
  void endHasItsResponse_saysWhatIsStored_andCanBeSentAgain() throws Exception {
    String end = "/sessions/a/events?writer=w&message=1";
    RawHttp response = RawHttp.post(server.port(), end, message(end("a")));
    assertThat(assertProblem(response, 503, "storage_unavailable").path("detail").asText())
        .contains("SESSION_END is stored");
    response = RawHttp.post(server.port(), end, message(end("a")));
    assertThat(assertProblem(response, 503, "storage_unavailable").path("detail").asText())
        .contains("SESSION_END is");
    assertThat(status("GET /health")).isEqualTo(503);
    response = RawHttp.get(server.port(), "/sessions/a");
    assertThat(assertProblem(response, 409, "session_in_progress").path("detail").asText())
        .contains("has ended");
    assertThat(post("b", message(event("2", "y"))).status()).as("another session").isEqualTo(200);

    Files.delete(temporary);
    Await.until("its tree is made", () -> status("GET /sessions/a") == 200);
    response = RawHttp.post(server.port(), end, message(end("a")));
    assertThat(response.status()).isEqualTo(200);
    assertThat(response.body()).contains("\"state\":\"complete\"", "\"entries\":3");
    Await.until("it is healthy", () -> status("GET /health") == 200);
  }

  @Test
  void endThatHasNoResponseAtSigterm_isToldWhatIsStored() throws Exception {
    try (Socket socket = RawHttp.open(server.port())) {
      String head =
          "POST /sessions/a/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s";
      String end = message(end("a"));
      socket
          .getOutputStream()
          .write(head.formatted(end.length(), end).getBytes(StandardCharsets.US_ASCII));
      Await.until("it has ended", () -> status("GET /health") == 503);
      server.askToEnd();
      assertThat(
              assertProblem(RawHttp.read(socket), 503, "storage_unavailable")
                  .path("detail")
                  .asText())
          .contains("SESSION_END is stored");
      assertThat(server.awaitExit()).isZero();
    }
  }

  @Test
  void sessionThatHasNoTreeYet_canBeDeleted_andBegunAnew() throws Exception {
    try (RawStream stream = RawStream.connect(server.port(), "a")) {
      stream.next("OPEN");
      stream.send(message(end("a")));
      Await.until("it has ended", () -> status("GET /health") == 503);
      assertThat(status("DELETE /sessions/a")).isEqualTo(204);
      assertThat(stream.next("ERROR").path("code").asText()).isEqualTo("session_deleted");
    }
    assertThat(status("GET /sessions/a")).isEqualTo(404);
    Await.until("it is healthy", () -> status("GET /health") == 200);
    assertThat(post("a", message(start("a"))).status()).isEqualTo(200);
  }
}
