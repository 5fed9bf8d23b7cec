package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;
import static sessiontree.ProblemDetails.assertProblem;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Which ids are valid, on every route. Paths are sent as written, because client libraries would
 * normalize them first.
 */
class SessionIdIT {
  @TempDir static Path folder;
  private static JarServer server;

  @BeforeAll
  static void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private RawHttp get(String segment) throws IOException {
    return RawHttp.get(server.port(), "/sessions/" + segment);
  }

  private RawHttp post(String segment, String message) throws IOException {
    return RawHttp.post(server.port(), "/sessions/" + segment + "/events", message);
  }

  private RawHttp upgrade(String segment) throws IOException {
    return RawHttp.upgrade(server.port(), "/sessions/" + segment + "/stream");
  }

  static Stream<String> invalid() {
    return Stream.of(
        "%2e%2e%2f",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%5c..%5cetc",
        "%5c",
        "%2f",
        "a%2fb",
        "%252e%252e",
        "%00",
        "a%00",
        "%0a",
        "%20",
        "a+b",
        "%2b",
        "%zz",
        "%",
        "%4",
        "a%",
        "%c3%28",
        "%c3%a9",
        "%c0%ae%c0%ae",
        "a;v=1",
        ";",
        "a;",
        "..;",
        "a%3bv=1",
        "a:b",
        "a@b",
        "a*",
        "a|b",
        "\"a\"",
        "a".repeat(129),
        "%61".repeat(129));
  }

  @ParameterizedTest
  @MethodSource("invalid")
  void invalidId_isRefusedEverywhere_andLeavesNoTrace(String segment) throws Exception {
    List<Path> before = files();
    String body = message(start(segment), end(segment));
    assertProblem(get(segment), 400, "invalid_session_id");
    assertProblem(post(segment, body), 400, "invalid_session_id");
    assertProblem(upgrade(segment), 400, "invalid_session_id");
    assertThat(files()).isEqualTo(before);
  }

  /** HTTP lets a server either take such paths as they are, or resolve the dot segments first. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        ".",
        "..",
        "%2e",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "",
        "../..",
        "../../etc/passwd",
        "a/.."
      })
  void dotSegments_areRefusedEverywhere_andLeaveNoTrace(String segment) throws Exception {
    List<Path> before = files();
    String body = message(start(segment), end(segment));
    assertRefused(get(segment));
    assertRefused(post(segment, body));
    assertRefused(upgrade(segment));
    assertThat(files()).isEqualTo(before);
  }

  private static void assertRefused(RawHttp response) throws IOException {
    String code =
        switch (response.status()) {
          case 404 -> "not_found";
          case 405 -> "method_not_allowed";
          default ->
              response.body().contains("session_id") ? "invalid_session_id" : "invalid_parameter";
        };
    assertProblem(response, code.startsWith("invalid") ? 400 : response.status(), code);
  }

  /** Returns all files in the folder of the store and in its parent. */
  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.sorted().toList();
    }
  }

  @Test
  void validIds_areSessions_beforeAndAfterARestart() throws Exception {
    List<String> ids =
        List.of(
            "a",
            "-",
            "~",
            "_",
            "...",
            ".a",
            "a..b",
            "lock",
            "con",
            "nul.json",
            "stream",
            "events",
            "0",
            "A-Za-z0-9._~-",
            "a".repeat(128),
            "Z".repeat(128));
    for (String id : ids) {
      assertProblem(get(id), 404, "session_not_found");
      assertThat(upgrade(id).status()).as(id).isEqualTo(101);
      assertThat(post(id, message(start(id), event("1", id))).status()).as(id).isEqualTo(200);
    }
    restart();
    for (String id : ids) {
      assertProblem(get(id), 409, "session_in_progress");
      RawHttp last = post(id, message(end(id)));
      assertThat(last.headers()).containsEntry("location", "/sessions/" + id);
    }
    assertTreesOfTheirOwn(ids);
    restart();
    assertTreesOfTheirOwn(ids);
    assertOnlyTheStore();
  }

  @Test
  void percentEncodedLetters_areTheLettersThemselves() throws Exception {
    assertThat(post("%61b%63", message(start("abc"), event("1", "a"))).status()).isEqualTo(200);
    assertProblem(get("ab%63"), 409, "session_in_progress");
    assertThat(upgrade("%61%62%63").status()).isEqualTo(101);
    assertThat(post("abc", message(end("abc"))).body()).contains("\"entries\":3");
    assertThat(get("%61bc").body()).isEqualTo(tree(event("1", "a")));
    assertThat(get("abc").body()).isEqualTo(tree(event("1", "a")));
    assertThat(post("%41%7e%2D", message(start("A~-"))).body()).contains("\"session_id\":\"A~-\"");
  }

  @Test
  void idsThatDifferOnlyInCase_areDifferentSessions_beforeAndAfterARestart() throws Exception {
    List<String> sessions = List.of("case", "Case", "cASE", "CASE", "case.json", "CASE.JSON");
    for (String id : sessions) {
      post(id, message(start(id), event("1", id)));
    }
    restart();
    for (String id : sessions) {
      assertProblem(get(id), 409, "session_in_progress");
      assertThat(post(id, message(end(id))).body()).contains("\"entries\":3");
    }
    assertTreesOfTheirOwn(sessions);
    restart();
    assertTreesOfTheirOwn(sessions);
    assertProblem(get("cAse"), 404, "session_not_found");
    assertOnlyTheStore();
  }

  private void assertTreesOfTheirOwn(List<String> ids) throws IOException {
    for (String id : ids) {
      assertThat(get(id).body()).isEqualTo(tree(event("1", id)));
    }
  }

  private static void restart() throws Exception {
    assertThat(server.terminate()).isZero();
    server = JarServer.start(folder.resolve("store"));
  }

  private void assertOnlyTheStore() throws IOException {
    if (!JarServer.isInFolder()) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(folder.resolve("store"));
    }
  }
}
