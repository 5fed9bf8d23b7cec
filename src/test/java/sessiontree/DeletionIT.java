package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;
import static sessiontree.ProblemDetails.assertProblem;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Deleted sessions are gone for everybody and for good, and nothing else is. */
class DeletionIT {
  /** Limits so small that data is soon spilled to run files, and the log has many segments. */
  private static final String[] SMALL = {"--memory-bytes=65536", "--log-bytes=65536"};

  @TempDir private Path folder;
  private JarServer server;
  private final String id = newId();

  @BeforeEach
  void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"), SMALL);
  }

  @AfterEach
  void endServer() throws Exception {
    server.close();
  }

  private void restart(boolean kill) throws Exception {
    if (kill) {
      server.kill();
    } else {
      assertThat(server.terminate()).isZero();
    }
    startServer();
  }

  private RawHttp send(String method, String id) throws IOException {
    return RawHttp.send(server.port(), method + " /sessions/" + id, "", "");
  }

  private RawHttp post(String id, String... entries) throws IOException {
    return RawHttp.post(server.port(), "/sessions/" + id + "/events", message(entries));
  }

  private void assertStored(RawHttp response) {
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  private void delete(String id) throws IOException {
    RawHttp response = send("DELETE", id);
    assertThat(response.status()).as(response.body()).isEqualTo(204);
    assertThat(response.body()).isEmpty();
  }

  private void assertGone(String id) throws Exception {
    assertProblem(send("GET", id), 404, "session_not_found");
    assertProblem(send("DELETE", id), 404, "session_not_found");
    assertThat(RawHttp.get(server.port(), "/sessions?limit=1000").body()).doesNotContain(id);
    try (RawStream stream = RawStream.connect(server.port(), id, "writer=w")) {
      JsonNode open = stream.next("OPEN");
      assertThat(open.path("entries").asLong()).isZero();
      assertThat(open.path("messages").asLong()).isZero();
    }
  }

  /** The state of a session when it is deleted. */
  private enum Kind {
    OPEN,
    OPEN_AND_SPILLED,
    COMPLETE,
    COMPLETE_AND_LARGE;

    boolean isLarge() {
      return this == OPEN_AND_SPILLED || this == COMPLETE_AND_LARGE;
    }

    boolean isComplete() {
      return this == COMPLETE || this == COMPLETE_AND_LARGE;
    }
  }

  /** Stores a session of one named writer, with the marker in every event. */
  private void store(String id, Kind kind, String marker) throws Exception {
    double spills = Scrape.of(server).own("spills_total");
    int messages = kind.isLarge() ? 40 : 1;
    try (RawStream stream = RawStream.connect(server.port(), id, "writer=w")) {
      stream.next("OPEN");
      for (int m = 0; m < messages; m++) {
        String[] entries = new String[kind.isLarge() ? 100 : 3];
        for (int e = 0; e < entries.length; e++) {
          entries[e] = event(m + "." + e, marker + "-" + m + "-" + e);
        }
        entries[0] = m == 0 ? start(id) : entries[0];
        stream.send(message(entries));
        stream.ack(m + 1);
      }
      if (kind.isComplete()) {
        stream.send(message(end(id)));
        stream.complete();
      }
    }
    if (kind == Kind.OPEN_AND_SPILLED && JarServer.isInFolder()) {
      Await.until("it is spilled", () -> Scrape.of(server).own("spills_total") > spills);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void deletedSession_isGone_alsoAfterKill_andItsIdIsNew(Kind kind) throws Exception {
    store(id, kind, "old");
    delete(id);
    assertGone(id);
    restart(true);
    assertGone(id);
    assertStored(post(id, start(id), event("1", "new")));
    restart(false);
    assertStored(post(id, end(id)));
    assertThat(send("GET", id).body()).isEqualTo(tree(event("1", "new")));
  }

  @Test
  void sessionOfWhichNothingIsStored_cannotBeDeleted() throws Exception {
    assertProblem(send("DELETE", id), 404, "session_not_found");
    assertProblem(send("DELETE", "%21"), 400, "invalid_session_id");
    try (RawStream stream = RawStream.connect(server.port(), id)) {
      stream.next("OPEN");
      assertProblem(send("DELETE", id), 404, "session_not_found");
      stream.send(message(start(id)));
      stream.ack(1);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void id_isUsedAnewAtOnce_byPostAndByStream_againAndAgain(Kind kind) throws Exception {
    store(id, kind, "old");
    for (int round = 0; round < 5; round++) {
      delete(id);
      assertStored(post(id, start(id), event("1", "posted" + round)));
      delete(id);
      try (RawStream stream = RawStream.connect(server.port(), id, "writer=w")) {
        assertThat(stream.next("OPEN").path("messages").asLong()).isZero();
        stream.send(message(start(id), event("2", "streamed" + round)));
        stream.ack(1);
      }
    }
    restart(true);
    assertStored(post(id, end(id)));
    assertThat(send("GET", id).body()).isEqualTo(tree(event("2", "streamed4")));
  }

  @Test
  void streams_areNotifiedOfTheDeletion_andClosed_andOthersAreNot() throws Exception {
    String other = newId();
    try (RawStream first = RawStream.connect(server.port(), id);
        RawStream second = RawStream.connect(server.port(), id, "writer=w");
        RawStream another = RawStream.connect(server.port(), other)) {
      for (RawStream stream : List.of(first, second, another)) {
        stream.next("OPEN");
      }
      first.send(message(start(id)));
      first.ack(1);
      delete(id);
      for (RawStream stream : List.of(first, second)) {
        assertThat(stream.next("ERROR").path("code").asText()).isEqualTo("session_deleted");
        assertThat(stream.closeCode()).isEqualTo(1000);
      }
      another.send(message(start(other)));
      another.ack(1);
    }
  }

  @Test
  void messagesInFlight_areAcknowledgedInOrder_beforeTheStreamIsClosed() throws Exception {
    for (int round = 0; round < 10; round++) {
      String id = this.id + round;
      try (RawStream stream = RawStream.connect(server.port(), id)) {
        stream.next("OPEN");
        stream.send(message(start(id)));
        stream.ack(1);
        for (int m = 0; m < 200; m++) {
          stream.send(message(event("" + m, "e")));
        }
        delete(id);
        long result = 1;
        JsonNode last = null;
        while (last == null) {
          JsonNode response = stream.next();
          if (response.path("type").asText().equals("ACK")) {
            assertThat(response.path("messages").asLong()).isGreaterThan(result);
            result = response.path("messages").asLong();
          } else {
            assertThat(response.path("code").asText()).isEqualTo("session_deleted");
            if (response.has("message")) {
              assertThat(response.path("message").asLong()).isEqualTo(++result);
            } else {
              last = response;
            }
          }
        }
        assertThat(stream.closeCode()).isEqualTo(1000);
      }
      assertProblem(send("GET", id), 404, "session_not_found");
    }
  }

  @Test
  void deletionThatComesWithTheEnd_isDone_andTheEndIsAcknowledged() throws Exception {
    for (int round = 0; round < 12; round++) {
      String id = this.id + round;
      store(id, round % 4 == 0 ? Kind.OPEN_AND_SPILLED : Kind.OPEN, "e");
      String body = message(end(id));
      String post =
          "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s";
      String delete = "DELETE /sessions/%s HTTP/1.1\r\nHost: localhost\r\n\r\n";
      try (Socket ending = RawHttp.open(server.port());
          Socket deleting = RawHttp.open(server.port())) {
        write(ending, post.formatted(id, body.length(), body));
        write(deleting, delete.formatted(id));
        RawHttp ended = RawHttp.read(ending);
        if (ended.status() != 200) { // it came after the deletion
          assertThat(ended.body()).containsAnyOf("session_not_started", "session_deleted");
        }
        assertThat(deleting.getInputStream().readNBytes(12))
            .asString(StandardCharsets.US_ASCII)
            .isEqualTo("HTTP/1.1 204");
      }
      assertGone(id);
    }
    restart(true);
    for (int round = 0; round < 12; round++) {
      assertGone(id + round);
    }
  }

  private static void write(Socket socket, String request) throws IOException {
    socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
  }

  @FolderOnly
  @ParameterizedTest
  @EnumSource(Kind.class)
  void bytesOfWhatIsDeleted_leaveTheFolderAfterARestart_andThoseOfOthersStay(Kind kind)
      throws Exception {
    String marker = "marker-" + newId();
    List<String> others = new ArrayList<>();
    for (int i = 0; i < 4; i++) { // around the deleted ones, in the same files
      others.add("other" + i);
      store("other" + i, Kind.OPEN, "kept" + i);
      if (i == 1) {
        store("deleted-open", kind, marker);
      } else if (i == 2) {
        store("deleted", kind, marker);
      }
    }
    assertThat(filesWith(marker)).isNotEmpty();
    delete("deleted-open");
    delete("deleted");
    restart(kind.isLarge());
    Await.until("no file holds it", () -> filesWith(marker).isEmpty());
    restart(true);
    for (String other : others) {
      assertStored(post(other, end(other)));
      String kept = other.replace("other", "kept");
      assertThat(send("GET", other).body())
          .isEqualTo(tree(event("0.1", kept + "-0-1"), event("0.2", kept + "-0-2")));
    }
    assertGone("deleted");
  }

  private List<Path> filesWith(String marker) throws IOException {
    List<Path> found = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder.resolve("store"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (Files.readString(file, StandardCharsets.ISO_8859_1).contains(marker)) {
          found.add(file);
        }
      }
      return found;
    } catch (NoSuchFileException | UncheckedIOException e) { // a file was deleted meanwhile
      return List.of(folder);
    }
  }
}
