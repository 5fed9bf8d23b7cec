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
import java.io.ByteArrayInputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client of POST and GET can rely on. */
class HttpIT {
  private static final int MAX_MESSAGE_BYTES = 10_000;
  private static final int MAX_WRITERS = 10_000;

  @TempDir static Path folder;
  private static JarServer server;

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String id = newId();

  @BeforeAll
  static void startServer() throws Exception {
    server =
        JarServer.start(folder.resolve("store"), "--max-message-bytes", "" + MAX_MESSAGE_BYTES);
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private HttpResponse<String> send(String method, String path, BodyPublisher body)
      throws Exception {
    HttpRequest request = HttpRequest.newBuilder(server.uri(path)).method(method, body).build();
    return http.send(request, BodyHandlers.ofString());
  }

  private HttpResponse<String> send(String method, String path) throws Exception {
    return send(method, path, BodyPublishers.noBody());
  }

  private HttpResponse<String> get() throws Exception {
    return send("GET", "/sessions/" + id);
  }

  private HttpResponse<String> post(String... entries) throws Exception {
    return postWith("", message(entries));
  }

  private HttpResponse<String> postWith(String query, String body) throws Exception {
    return send("POST", "/sessions/" + id + "/events" + query, BodyPublishers.ofString(body));
  }

  private void assertStored(HttpResponse<String> response, String state, long entries) {
    assertThat(response.body())
        .isEqualTo(
            "{\"session_id\":\"%s\",\"state\":\"%s\",\"entries\":%d}"
                .formatted(id, state, entries));
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
  }

  @Test
  void aSession_postedInParts_comesBackSortedByteForByte() throws Exception {
    HttpResponse<String> first = post(start(id), event("1569972085.5", "basket_removed"));
    assertStored(first, "open", 2);
    assertThat(first.headers().firstValue("Location")).isEmpty();
    assertStored(post(event("1569972083", "cart_loaded")), "open", 3);
    HttpResponse<String> last = post(end(id));
    assertStored(last, "complete", 4);
    assertThat(last.headers().firstValue("Location")).hasValue("/sessions/" + id);

    HttpResponse<String> response = get();
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
    assertThat(response.body())
        .isEqualTo(
            tree(event("1569972083", "cart_loaded"), event("1569972085.5", "basket_removed")));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "multipart/form-data; boundary=x",
        "application/json; charset=ISO-8859-1",
        "nonsense"
      })
  void body_isAMessageInUtf8_whateverItsContentType(String contentType) throws Exception {
    String body = message(start(id), event("1", "é😀"), end(id));
    HttpRequest request =
        HttpRequest.newBuilder(server.uri("/sessions/" + id + "/events"))
            .header("Content-Type", contentType)
            .POST(BodyPublishers.ofString(body))
            .build();
    assertStored(http.send(request, BodyHandlers.ofString()), "complete", 3);
    assertThat(get().body()).isEqualTo(tree(event("1", "é😀")));
  }

  @Test
  void bodyWithoutAContentType_isAMessage() throws Exception {
    assertStored(post(start(id)), "open", 1);
  }

  @Test
  void bodyInChunks_isAMessage() throws Exception {
    byte[] body = message(start(id), end(id)).getBytes(StandardCharsets.UTF_8);
    BodyPublisher chunked = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
    assertStored(send("POST", "/sessions/" + id + "/events", chunked), "complete", 2);
  }

  @Test
  void clientThatExpectsContinue_getsContinue() throws Exception {
    String body = message(start(id));
    String head =
        "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            .formatted(id, body.length());
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      socket.setSoTimeout(30_000);
      socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      assertThat(RawHttp.read(socket).status()).isEqualTo(100);
      socket.getOutputStream().write(body.getBytes(StandardCharsets.US_ASCII));
      assertThat(RawHttp.read(socket).status()).isEqualTo(200);
    }
  }

  @Test
  void sessionOfWhichNothingIsStored_isNotFound() throws Exception {
    assertProblem(get(), 404, "session_not_found");
    assertProblem(post(event("1", "a")), 400, "session_not_started");
    assertProblem(get(), 404, "session_not_found");
  }

  @Test
  void openSession_isInProgress_andSaysHowManyEntriesItHas() throws Exception {
    post(start(id), event("1", "a"), event("2", "b"));
    JsonNode problem = assertProblem(get(), 409, "session_in_progress");
    assertThat(problem.path("entries").asLong()).isEqualTo(3);
  }

  @Test
  void head_respondsAsGet_withoutTheBody() throws Exception {
    assertHeadIsGetWithoutBody();
    post(start(id));
    assertHeadIsGetWithoutBody();
    post(event("1", "a"), end(id));
    assertHeadIsGetWithoutBody();
    assertThat(get().statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource({
    "/sessions,             200",
    "/sessions?limit=0,     400",
    "/metrics,              200",
    "/openapi.json,         200",
    "/asyncapi.json,        200",
    "/health,               200",
    "/sessions/a/stream,    426",
    "/sessions/!/stream,    400",
    "/sessions/%u0041,      400",
    "/sessions/!,           400",
    "/sessions/unknown,     404",
    "/nothing,              404",
    "/sessions/a/events,    405"
  })
  void head_respondsAsGet_onEveryRoute(String path, int status) throws Exception {
    for (String coding : List.of("identity", "gzip")) {
      String headers = "Accept-Encoding: " + coding + "\r\n";
      RawHttp get = RawHttp.send(server.port(), "GET " + path, headers, "");
      RawHttp head = RawHttp.send(server.port(), "HEAD " + path, headers, "");
      assertThat(head.status()).isEqualTo(get.status()).isEqualTo(status);
      assertThat(head.body()).isEmpty();
      assertThat(head.headers().keySet()).isEqualTo(get.headers().keySet());
      for (String name : get.headers().keySet()) {
        boolean counts = name.equals("content-length") && status / 100 == 2; // varies in /metrics
        if (!name.equals("date") && !(counts && path.equals("/metrics")) && status != 405) {
          assertThat(head.headers().get(name)).as(name).isEqualTo(get.headers().get(name));
        }
      }
    }
  }

  @Test
  void onlyTrees_mayBeKeptByCaches() throws Exception {
    String path = "/sessions/" + id;
    int port = server.port();
    List<RawHttp> responses =
        List.of(
            RawHttp.get(port, path),
            RawHttp.post(port, path + "/events", message(start(id))),
            RawHttp.get(port, path),
            RawHttp.post(port, path + "/events", "["),
            RawHttp.post(port, path + "/events", message(end(id))),
            RawHttp.get(port, "/sessions"),
            RawHttp.get(port, "/sessions?limit=0"),
            RawHttp.get(port, "/metrics"),
            RawHttp.get(port, "/health"),
            RawHttp.get(port, "/openapi.json"),
            RawHttp.get(port, path + "/stream"),
            RawHttp.upgrade(port, path + "/stream"),
            RawHttp.get(port, "/nothing"),
            RawHttp.get(port, "/sessions/%zz"),
            RawHttp.get(port, "/sessions/%u0041"),
            RawHttp.send(port, "GET /health", "A bad header\r\n", ""),
            RawHttp.send(port, "GET /health", "Origin: http://elsewhere\r\n", ""),
            RawHttp.send(port, "PUT " + path, "", ""));
    for (RawHttp response : responses) {
      assertThat(response.headers())
          .as(response.toString())
          .containsEntry("cache-control", "no-store");
    }
    RawHttp tree = RawHttp.get(port, path);
    assertThat(tree.headers()).containsEntry("cache-control", "private, no-cache");
    String known = "If-None-Match: " + tree.headers().get("etag") + "\r\n";
    assertThat(RawHttp.send(port, "GET " + path, known, "").headers())
        .containsEntry("cache-control", "private, no-cache");
    assertThat(RawHttp.send(port, "DELETE " + path, "", "").headers())
        .containsEntry("cache-control", "no-store");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/sessions", "/metrics", "/openapi.json", "/asyncapi.json"})
  void whatMayBeCompressed_variesByAcceptEncoding(String path) throws Exception {
    for (String coding : List.of("identity", "gzip")) {
      String headers = "Accept-Encoding: " + coding + "\r\n";
      RawHttp response = RawHttp.send(server.port(), "GET " + path, headers, "");
      assertThat(response.headers()).containsEntry("vary", "Accept-Encoding");
    }
  }

  private void assertHeadIsGetWithoutBody() throws Exception {
    HttpResponse<String> get = get();
    HttpResponse<String> head = send("HEAD", "/sessions/" + id);
    assertThat(head.statusCode()).isEqualTo(get.statusCode());
    assertThat(head.body()).isEmpty();
    for (String name : List.of("Content-Type", "Content-Length")) {
      assertThat(head.headers().firstValue(name)).isEqualTo(get.headers().firstValue(name));
    }
    assertThat(get.headers().firstValueAsLong("Content-Length"))
        .hasValue(get.body().getBytes(StandardCharsets.UTF_8).length);
  }

  @Test
  void completeSession_takesNothingMore() throws Exception {
    post(start(id), end(id));
    assertProblem(post(event("1", "a")), 409, "session_complete");
    assertProblem(post(end(id)), 409, "session_complete");
    assertThat(get().body()).isEqualTo(tree());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[              | invalid_json        |",
        "``             | invalid_json        |",
        "{}             | invalid_message     |",
        "[]             | invalid_message     |",
        "[EVENT,1]      | invalid_entry       | /1",
        "[{}]           | invalid_entry       | /0",
        "[EVENT,OTHER]  | session_id_mismatch | /1/session_id",
        "[END,EVENT]    | entry_after_end     | /1",
        "[EVENT,RESTART]| session_already_started | /1",
      })
  void refusedMessage_getsCodeAndPointer_andLeavesNoTrace(
      String template, String code, String pointer) throws Exception {
    post(start(id));
    String body =
        template
            .replace("END", end(id))
            .replace("EVENT", event("1", "a"))
            .replace("OTHER", end("another"))
            .replace("RESTART", Entries.bound("SESSION_START", "1", id));
    JsonNode problem = assertProblem(postWith("", body), 400, code);
    if (pointer != null) {
      assertThat(problem.path("pointer").asText()).isEqualTo(pointer);
    }
    assertStored(post(event("2", "b"), end(id)), "complete", 3);
    assertThat(get().body()).isEqualTo(tree(event("2", "b")));
  }

  @Test
  void bodyThatIsNotUtf8_isInvalidJson() throws Exception {
    byte[] body = message(start(id), event("1", "é")).getBytes(StandardCharsets.ISO_8859_1);
    HttpResponse<String> response =
        send("POST", "/sessions/" + id + "/events", BodyPublishers.ofByteArray(body));
    assertProblem(response, 400, "invalid_json");
    assertProblem(get(), 404, "session_not_found");
  }

  @Test
  void retryOfANumberedMessage_isHarmless() throws Exception {
    assertStored(postWith("?writer=w&message=1", message(start(id))), "open", 1);
    assertStored(postWith("?writer=w&message=2", message(event("1", "a"))), "open", 2);
    assertStored(postWith("?writer=w&message=2", message(event("1", "a"))), "open", 2);
    assertStored(postWith("?message=1&writer=w", message(start(id))), "open", 2);
    assertStored(postWith("?writer=v&message=1", message(event("2", "b"))), "open", 3);
    HttpResponse<String> last = postWith("?writer=w&message=3", message(end(id)));
    assertStored(last, "complete", 4);
    HttpResponse<String> retry = postWith("?writer=w&message=3", message(end(id)));
    assertStored(retry, "complete", 4);
    assertThat(retry.headers().firstValue("Location")).hasValue("/sessions/" + id);
    assertStored(postWith("?writer=v&message=1", message(event("2", "b"))), "complete", 4);
    assertProblem(
        postWith("?writer=v&message=2", message(event("3", "c"))), 409, "session_complete");
    assertThat(get().body()).isEqualTo(tree(event("1", "a"), event("2", "b")));
  }

  @Test
  void numberThatSkipsOne_isRefused_withTheExpectedOne() throws Exception {
    JsonNode first =
        assertProblem(
            postWith("?writer=w&message=2", message(start(id))), 409, "message_out_of_order");
    assertThat(first.path("expected").asLong()).isEqualTo(1);
    postWith("?writer=w&message=1", message(start(id)));
    JsonNode second =
        assertProblem(
            postWith("?writer=w&message=3", message(event("1", "a"))), 409, "message_out_of_order");
    assertThat(second.path("expected").asLong()).isEqualTo(2);
    assertStored(postWith("?writer=w&message=2", message(event("1", "a"))), "open", 2);
  }

  @Test
  void refusedMessage_isNotKeptUnderItsNumber() throws Exception {
    assertProblem(postWith("?writer=w&message=1", "[{}]"), 400, "invalid_entry");
    assertStored(postWith("?writer=w&message=1", message(start(id))), "open", 1);
  }

  @Test
  void writersOfPostsAndOfStreams_areTheSame() throws Exception {
    postWith("?writer=w&message=1", message(start(id)));
    try (StreamClient client = StreamClient.connect(server.port(), id, "w")) {
      assertThat(client.next("OPEN").path("messages").asLong()).isEqualTo(1);
      client.send(message(event("1", "a")));
      client.ack(2);
      assertStored(postWith("?writer=w&message=2", message(event("1", "a"))), "open", 2);
      assertStored(postWith("?writer=w&message=3", message(end(id))), "complete", 3);
      assertThat(client.complete().path("messages").asLong()).isBetween(2L, 3L);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "?writer=w",
        "?message=1",
        "?writer=w&message=0",
        "?writer=w&message=-1",
        "?writer=w&message=1.5",
        "?writer=w&message=one",
        "?writer=w&message=",
        "?writer=w&message=99999999999999999999",
        "?writer=&message=1",
        "?writer=a%2fb&message=1",
        "?writer=..&message=1"
      })
  void invalidWriterOrMessage_isAnInvalidParameter(String query) throws Exception {
    assertProblem(postWith(query, message(start(id))), 400, "invalid_parameter");
    assertProblem(get(), 404, "session_not_found");
  }

  @ParameterizedTest
  @CsvSource({
    "HTTP/3.0, Accept: */*, 505",
    "HTTP/0.9, Accept: */*, 505",
    "HTTP/2.0, Accept: */*, 426",
    "HTTP/1.1, Expect: a miracle, 417",
    "HTTP/1.1, Host: two, 400"
  })
  void requestThatCannotBeRead_isAFaultOfTheClient(String version, String header, int status)
      throws Exception {
    String head = "GET /health %s\r\nHost: localhost\r\nConnection: close\r\n%s\r\n\r\n";
    RawHttp response = RawHttp.exchange(server.port(), head.formatted(version, header));
    assertProblem(response, status, "invalid_parameter");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a=%zz", "a=%", "a=%+1", "%c3%28=1", "a=1&a=1", "a=1&b&%61", "b&b"})
  void queryThatCannotBeDecoded_orHasAParameterTwice_isRefused(String query) throws Exception {
    String path = "/sessions/" + id;
    postWith("", message(start(id)));
    for (String each : List.of("/sessions", path, path + "/live", path + "/none")) {
      assertProblem(RawHttp.get(server.port(), each + "?" + query), 400, "invalid_parameter");
    }
    assertProblem(
        RawHttp.upgrade(server.port(), path + "/stream?" + query), 400, "invalid_parameter");
    assertProblem(
        RawHttp.post(server.port(), path + "/events?" + query, message(end(id))),
        400,
        "invalid_parameter");
    assertProblem(get(), 409, "session_in_progress");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "&&", "a=1&&b", "access_token=a&access_token=b"})
  void queryOfEmptyParameters_orOfSeveralTokens_isAccepted(String query) throws Exception {
    assertThat(RawHttp.get(server.port(), "/health?" + query).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"%zz", "%", "%c3%28", "%00"})
  void writerThatCannotBeDecoded_isAnInvalidParameter(String writer) throws Exception {
    String path = "/sessions/" + id + "/events?message=1&writer=" + writer;
    RawHttp response = RawHttp.post(server.port(), path, message(start(id)));
    assertProblem(response, 400, "invalid_parameter");
    assertProblem(get(), 404, "session_not_found");
  }

  @Test
  void writerBeyondTheLimit_isRefused_andThoseBeforeGoOn() throws Exception {
    post(start(id));
    ExecutorService clients = Executors.newFixedThreadPool(32);
    try {
      List<Future<HttpResponse<String>>> responses = new ArrayList<>();
      for (int i = 0; i < MAX_WRITERS; i++) {
        String query = "?writer=w" + i + "&message=1";
        responses.add(clients.submit(() -> postWith(query, message(event("1", "a")))));
      }
      for (Future<HttpResponse<String>> response : responses) {
        assertThat(response.get().statusCode()).as(response.get().body()).isEqualTo(200);
      }
    } finally {
      clients.shutdownNow();
    }
    assertProblem(
        postWith("?writer=more&message=1", message(event("1", "a"))), 409, "too_many_writers");
    assertStored(
        postWith("?writer=w0&message=2", message(event("1", "a"))), "open", MAX_WRITERS + 2);
    assertStored(post(event("1", "unnamed")), "open", MAX_WRITERS + 3);
  }

  @Test
  void bodyOfTheLimit_isStored_andOneByteMoreIsTooBig() throws Exception {
    String most = message(start(id));
    most += " ".repeat(MAX_MESSAGE_BYTES - most.length());
    assertStored(postWith("", most), "open", 1);
    assertProblem(postWith("", most + " "), 413, "message_too_big");
    assertStored(post(event("1", "a")), "open", 2);
  }

  @ParameterizedTest
  @ValueSource(ints = {MAX_MESSAGE_BYTES + 1, 100 * MAX_MESSAGE_BYTES})
  void bodyInChunksThatIsTooBig_isTooBig(int bytes) throws Exception {
    BodyPublisher chunked =
        BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(new byte[bytes]));
    assertProblem(send("POST", "/sessions/" + id + "/events", chunked), 413, "message_too_big");
  }

  @ParameterizedTest
  @CsvSource({
    "GET,  /nothing",
    "POST, /nothing",
    "GET,  /sessions/a/nothing",
    "GET,  /sessions/a/b/stream",
    "POST, /sessions/a/b/events",
    "GET,  /Health",
    "GET,  /health/more"
  })
  void pathOfNoRoute_isNotFound(String method, String path) throws Exception {
    assertProblem(send(method, path), 404, "not_found");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "%u0041",
        "%u002e%u2215",
        "%u",
        "%",
        "%z",
        "%zz",
        "%2",
        "a%",
        "%00",
        "a;b=%u0041",
        ";%u0041",
        "%c3%28",
        "%ff",
        "%c0%ae",
        "\u0000",
        "\u0001",
        "\u007f",
        "\u0085",
        "\u00ff",
        "%25u0041",
        "..;%zz"
      })
  void pathThatCannotBeDecoded_isRefused_andNotLogged(String segment) throws Exception {
    for (String path :
        List.of("/%s", "/sessions/%s", "/sessions/%s/events", "/sessions/%s/stream")) {
      for (String method : List.of("GET", "HEAD", "POST", "DELETE")) {
        String closing = RawHttp.UPGRADE.replace("Upgrade\r", "close, Upgrade\r");
        for (String headers : List.of("", closing)) {
          String line = method + " " + path.replace("%s", segment);
          RawHttp response = RawHttp.send(server.port(), line, headers, "");
          assertThat(response.status()).as(line).isIn(400, 404, 405, 426);
        }
      }
    }
    RawHttp id = RawHttp.get(server.port(), "/sessions/%u0041/stream");
    assertProblem(id, 400, "invalid_session_id");
    assertThat(server.complaints()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "PUT,   /sessions/a",
    "POST,  /sessions/a",
    "PATCH, /sessions/a",
    "GET,   /sessions/a/events",
    "PUT,   /sessions/a/events",
    "POST,  /sessions/a/stream",
    "POST,  /health",
  })
  void methodThatAPathDoesNotTake_isNotAllowed(String method, String path) throws Exception {
    HttpResponse<String> response = send(method, path);
    assertProblem(response, 405, "method_not_allowed");
    assertThat(response.headers().firstValue("Allow")).as("RFC 9110, section 15.5.6").isPresent();
  }

  @Test
  void streamWithoutAnUpgrade_needsOne() throws Exception {
    HttpResponse<String> response = send("GET", "/sessions/" + id + "/stream");
    assertProblem(response, 426, "upgrade_required");
    assertThat(response.headers().firstValue("Upgrade")).hasValue("websocket");
  }

  @Test
  void upgradeToAnotherVersionOfWebSocket_needsThisOne() throws Exception {
    RawHttp response =
        RawHttp.send(
            server.port(),
            "GET /sessions/" + id + "/stream",
            RawHttp.UPGRADE.replace("Version: 13", "Version: 8"),
            "");
    assertProblem(response, 426, "upgrade_required");
    assertThat(response.headers()).containsEntry("sec-websocket-version", "13");
  }

  @Test
  void upgradeWithoutAKey_isNone() throws Exception {
    String headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    RawHttp response = RawHttp.send(server.port(), "GET /sessions/" + id + "/stream", headers, "");
    assertThat(response.status()).isIn(400, 426);
    assertThat(response.headers().get("content-type")).startsWith("application/problem+json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ=="
      })
  void keyThatIsNot16Bytes_isAnInvalidParameter(String key) throws Exception {
    String headers = RawHttp.UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", key);
    RawHttp response = RawHttp.send(server.port(), "GET /sessions/" + id + "/stream", headers, "");
    assertProblem(response, 400, "invalid_parameter");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host: a\r\nHost: b\u009b\u0085",
        "Host: a\u009b",
        "Host: a\u0001",
        "Host: a:port",
        "Host: a:99999",
        "Host: [::x",
        "Host: [::1]x",
        "Host: ",
        "Host: a\r\nBad\u009b: x",
        "Host: a\r\nContent-Length: 1\u009b",
        "Host: a\r\nTransfer-Encoding: \u009b"
      })
  void requestThatCannotBeRead_isNotLogged(String headers) throws Exception {
    String request = "GET /health HTTP/1.1\r\nConnection: close\r\n" + headers;
    RawHttp response = RawHttp.exchange(server.port(), request + "x".repeat(2_000) + "\r\n\r\n");
    assertThat(response.status() / 100).isEqualTo(4);
    RawHttp.exchange(server.port(), request + "\r\n\r\n");
    assertThat(server.complaints()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Upgrade: h2c\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: TLS/1.0, h2c\r\n",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Upgrade: h2c\r\nConnection: close\r\n",
        "Upgrade: h2c\r\nConnection: close, Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\n",
        "Connection: close, Upgrade\r\n"
      })
  void upgradeThatIsNone_isIgnored(String headers) throws Exception {
    int port = server.port();
    String path = "/sessions/" + id;
    assertThat(RawHttp.send(port, "GET /health", headers, "").status()).isEqualTo(200);
    assertThat(RawHttp.send(port, "GET /sessions", headers, "").status()).isEqualTo(200);
    RawHttp stored = RawHttp.send(port, "POST " + path + "/events", headers, message(start(id)));
    assertThat(stored.status()).isEqualTo(200);
    assertProblem(RawHttp.send(port, "GET " + path, headers, ""), 409, "session_in_progress");
    assertProblem(
        RawHttp.send(port, "GET " + path + "/stream", headers, ""), 426, "upgrade_required");
    assertThat(RawHttp.send(port, "DELETE " + path, headers, "").status()).isEqualTo(204);
  }

  @Test
  void upgradeOfOneRequest_isNotThatOfTheNext() throws Exception {
    String first = "GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n";
    String next =
        "GET /sessions/%s/stream HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n"
                .formatted(id)
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\n";
    try (Socket socket = RawHttp.open(server.port())) {
      socket.getOutputStream().write((first + next + "\r\n").getBytes(StandardCharsets.US_ASCII));
      assertThat(RawHttp.read(socket).status()).isEqualTo(200);
      assertThat(RawHttp.read(socket).status()).isEqualTo(426);
      String whole = next + "Upgrade: websocket\r\n\r\n";
      socket.getOutputStream().write(whole.getBytes(StandardCharsets.US_ASCII));
      assertThat(RawHttp.read(socket).status()).isEqualTo(101);
    }
  }

  /** By default, Java's HTTP client asks for an upgrade to HTTP/2. */
  @Test
  void clientThatWouldRatherSpeakHttp2_getsHttp1() throws Exception {
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
    HttpRequest request = HttpRequest.newBuilder(server.uri("/health")).build();
    assertThat(client.send(request, BodyHandlers.ofString()).statusCode()).isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource({
    "sessiontree,               sessiontree",
    "'chat, sessiontree',       sessiontree",
    "'chat,sessiontree,soap',   sessiontree",
    "chat, ",
    "SessionTree, "
  })
  void subprotocol_isAccepted_ifItIsOurs(String offered, String accepted) throws Exception {
    String headers = RawHttp.UPGRADE + "Sec-WebSocket-Protocol: " + offered + "\r\n";
    RawHttp response = RawHttp.send(server.port(), "GET /sessions/" + id + "/stream", headers, "");
    assertThat(response.status()).isEqualTo(101);
    assertThat(response.headers().get("sec-websocket-protocol")).isEqualTo(accepted);
  }

  @Test
  void requestThatIsNotHttp_isRefusedAsAProblem() throws Exception {
    RawHttp response = RawHttp.send(server.port(), "GET /health", "A bad header\r\n", "");
    assertThat(response.status()).isEqualTo(400);
    assertThat(response.headers().get("content-type")).startsWith("application/problem+json");
    assertThat(response.body()).contains("\"code\":").doesNotContain("jetty");
  }

  @Test
  void health_isUp() throws Exception {
    HttpResponse<String> response = send("GET", "/health");
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
    assertThat(response.body()).isEqualTo("{\"status\":\"UP\"}");
    assertThat(send("HEAD", "/health").statusCode()).isEqualTo(200);
  }
}
