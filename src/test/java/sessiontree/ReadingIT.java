package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.bound;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;
import static sessiontree.ProblemDetails.assertProblem;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client that reads trees can rely on: ETags, content codings, and waiting for a tree. */
class ReadingIT {
  private static final int WAITING = 3_000;
  private static final int SESSIONS = 100;
  private static final int CONNECTIONS = 32;
  private static final int HASTY = 500;

  /** More than Jetty's pool of 64, but far fewer than one thread for each waiting request. */
  private static final int FEW_THREADS = 400;

  @TempDir static Path folder;
  private static JarServer server;

  private final String id = newId();

  @BeforeAll
  static void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private String path() {
    return "/sessions/" + id;
  }

  private HttpResult get(String... headers) throws Exception {
    return HttpResult.send(server, "GET", path(), headers);
  }

  private void post(String... entries) throws Exception {
    postTo(server, id, entries);
  }

  private static void postTo(JarServer server, String id, String... entries) throws Exception {
    HttpResult response = HttpResult.post(server, "/sessions/" + id + "/events", message(entries));
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  private void delete() throws Exception {
    assertThat(HttpResult.send(server, "DELETE", path()).status()).isEqualTo(204);
  }

  private String tag(String... headers) throws Exception {
    HttpResult response = get(headers);
    assertThat(response.status()).isEqualTo(200);
    return response.headers().get("etag");
  }

  // Tags

  @Test
  void tag_isStrong_andAnotherForGzip() throws Exception {
    post(start(id), end(id));
    String plain = tag();
    String gzip = tag("Accept-Encoding", "gzip");
    assertThat(plain).matches("\"[!#-~]+\"");
    assertThat(gzip).matches("\"[!#-~]+\"").isNotEqualTo(plain);
    assertThat(tag()).isEqualTo(plain);
  }

  @Test
  void treeWithATag_variesByAcceptEncoding() throws Exception {
    post(start(id), end(id));
    for (String accepted : new String[] {"identity", "gzip"}) {
      assertThat(get("Accept-Encoding", accepted).headers().get("vary"))
          .contains("Accept-Encoding");
    }
  }

  @Test
  void tag_ofANewSessionOfTheSameIdAndContent_isAnother() throws Exception {
    post(start(id), end(id));
    String before = tag();
    delete();
    post(start(id), end(id));
    assertThat(tag()).isNotEqualTo(before);
  }

  @Test
  void tag_staysTheSame_afterStopAndAfterKill() throws Exception {
    Path store = folder.resolve("restarted").resolve("store");
    String plain;
    String gzip;
    try (JarServer first = JarServer.start(store)) {
      postTo(first, "s", start("s"), event("1", "e"), end("s"));
      plain = tagOf(first);
      gzip = tagOf(first, "Accept-Encoding", "gzip");
      first.kill();
    }
    try (JarServer second = JarServer.start(store)) {
      assertThat(tagOf(second)).isEqualTo(plain);
      assertThat(second.terminate()).isZero();
    }
    try (JarServer third = JarServer.start(store)) {
      assertThat(tagOf(third)).isEqualTo(plain);
      assertThat(tagOf(third, "Accept-Encoding", "gzip")).isEqualTo(gzip);
    }
  }

  private static String tagOf(JarServer server, String... headers) throws Exception {
    return HttpResult.send(server, "GET", "/sessions/s", headers).headers().get("etag");
  }

  @ParameterizedTest
  @ValueSource(strings = {"*", "TAG", "W/TAG", "\"other\", TAG", "\"a,b\",W/\"c\" ,  W/TAG"})
  void knownTag_getsNotModified_withoutABody(String ifNoneMatch) throws Exception {
    post(start(id), end(id));
    for (String accepted : new String[] {"identity", "gzip"}) {
      String tag = tag("Accept-Encoding", accepted);
      for (String method : new String[] {"GET", "HEAD"}) {
        RawHttp response =
            RawHttp.send(
                server.port(),
                method + " " + path(),
                "Accept-Encoding: %s\r\nIf-None-Match: %s\r\n"
                    .formatted(accepted, ifNoneMatch.replace("TAG", tag)),
                "");
        assertThat(response.status()).isEqualTo(304);
        assertThat(response.body()).isEmpty();
        assertThat(response.headers())
            .containsEntry("etag", tag)
            .containsKey("vary")
            .doesNotContainKey("content-length"); // it would be the tree's length
      }
    }
  }

  @Test
  void knownTagInASecondHeader_isKnown() throws Exception {
    post(start(id), end(id));
    assertThat(get("If-None-Match", "\"other\"", "If-None-Match", tag()).status()).isEqualTo(304);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"other\"", "W/\"other\"", "\"*\"", "\"\"", "TAG-unquoted", "nonsense"})
  void otherTag_getsTheTree(String ifNoneMatch) throws Exception {
    post(start(id), end(id));
    String unquoted = tag().replace("\"", "");
    HttpResult response = get("If-None-Match", ifNoneMatch.replace("TAG-unquoted", unquoted + "x"));
    assertThat(response.status()).isEqualTo(200);
    assertThat(response.body()).isEqualTo(tree());
  }

  @Test
  void anyTag_matchesNothing_ofASessionThatHasNoTree() throws Exception {
    assertThat(get("If-None-Match", "*").status()).isEqualTo(404);
    post(start(id));
    assertThat(get("If-None-Match", "*").status()).isEqualTo(409);
  }

  @ParameterizedTest
  @ValueSource(strings = {"identity", "gzip"})
  void head_hasTheHeadersOfGet_andNoBody(String accepted) throws Exception {
    post(start(id), event("1", "e"), end(id));
    HttpResult get = get("Accept-Encoding", accepted);
    String head =
        "HEAD %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n"
            .formatted(path(), accepted);
    String next = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    try (Socket socket = RawHttp.open(server.port())) {
      socket.getOutputStream().write((head + next).getBytes(StandardCharsets.US_ASCII));
      String responses = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      String[] parts = responses.split("\r\n\r\n");
      assertThat(parts[0]).startsWith("HTTP/1.1 200").containsIgnoringCase("etag: ");
      for (String name : new String[] {"etag", "content-type", "content-length", "vary"}) {
        if (!name.equals("content-length") || accepted.equals("identity")) {
          assertThat(parts[0]).containsIgnoringCase(name + ": " + get.headers().get(name));
        } else {
          assertThat(parts[0])
              .as("length of gzip form is unknown")
              .doesNotContainIgnoringCase(name + ":");
        }
      }
      assertThat(parts[1]).as("right behind the head").startsWith("HTTP/1.1 200");
    }
  }

  // Repeated reads

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET",
        "HEAD",
        "GET Accept-Encoding: gzip",
        "HEAD Accept-Encoding: gzip",
        "GET If-None-Match: *"
      })
  void treeThatWasRead_isServedAsItWasAtFirst(String request) throws Exception {
    post(start(id), event("1", "e"), end(id));
    String method = request.split(" ")[0];
    String headers = request.contains(":") ? request.substring(method.length() + 1) + "\r\n" : "";
    RawHttp first = RawHttp.send(server.port(), method + " " + path(), headers, "");
    for (int i = 0; i < 20; i++) {
      RawHttp next = RawHttp.send(server.port(), method + " " + path(), headers, "");
      next.headers().put("date", first.headers().get("date"));
      assertThat(next).isEqualTo(first);
    }
  }

  @Test
  void requestsThatAreSentAtOnce_getResponsesInTheirOrder_whoeverServesThem() throws Exception {
    post(start(id), event("1", "e"), end(id));
    String tree = get().body();
    String known = "If-None-Match: *\r\n";
    List<String> requests =
        List.of(path(), "/health", known, path(), path() + "/none", known, known, "/sessions/none");
    StringBuilder sent = new StringBuilder();
    int rounds = 200;
    for (int i = 0; i < rounds; i++) {
      for (String request : requests) {
        String headers = request.equals(known) ? known : "";
        sent.append("GET ").append(headers.isEmpty() ? request : path()).append(" HTTP/1.1\r\n");
        sent.append("Host: localhost\r\n").append(headers).append("\r\n");
      }
    }
    try (Socket socket = RawHttp.open(server.port())) {
      socket.getOutputStream().write(sent.toString().getBytes(StandardCharsets.US_ASCII));
      for (int i = 0; i < rounds; i++) {
        for (String request : requests) {
          RawHttp response = RawHttp.read(socket);
          if (request.equals(path())) {
            assertThat(response.body()).isEqualTo(tree);
          } else if (request.equals(known)) {
            assertThat(response.status()).isEqualTo(304);
          } else {
            assertThat(response.status()).isEqualTo(request.equals("/health") ? 200 : 404);
          }
        }
      }
    }
  }

  // Gzip

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gzip",
        "GZIP",
        "x-gzip",
        "gzip;q=0.001",
        "deflate, gzip;q=1.0, *;q=0.5",
        "br;q=1.0,gzip;q=0.8",
        "identity;q=0.5, gzip;q=1.0",
        "*"
      })
  void gzipThatIsAccepted_isSent(String accepted) throws Exception {
    post(start(id), event("1", "é"), end(id));
    HttpResult response = get("Accept-Encoding", accepted);
    assertThat(response.headers()).containsEntry("content-encoding", "gzip");
    assertThat(response.body()).isEqualTo(tree(event("1", "é")));
  }

  @ParameterizedTest
  @NullSource
  @ValueSource(
      strings = {
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip;q=0.0, identity",
        "identity;q=1, gzip;q=0.5",
        "gzip;q=0, *",
        "*;q=0.5, gzip;q=0",
        "*;q=0, identity",
        "notgzip"
      })
  void gzipThatIsNotAccepted_isNotSent(String accepted) throws Exception {
    post(start(id), event("1", "é"), end(id));
    String header = accepted == null ? "" : "Accept-Encoding: " + accepted + "\r\n";
    RawHttp response = RawHttp.send(server.port(), "GET " + path(), header, "");
    assertThat(response.headers()).doesNotContainKey("content-encoding");
    assertThat(response.body()).isEqualTo(tree(event("1", "é")));
  }

  // Waiting

  /** Sends a request that waits. The test reads the response from the socket later. */
  private Socket ask(String method, String preferences) throws IOException {
    return ask(server, method, id, preferences);
  }

  private static Socket ask(JarServer server, String method, String id, String preferences)
      throws IOException {
    Socket socket = RawHttp.open(server.port());
    String head =
        "%s /sessions/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n\r\n"
            .formatted(method, id, preferences);
    socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Prefer: wait=30",
        "Prefer: wait=60",
        "Prefer: wait=61",
        "Prefer: wait=100000",
        "Prefer: wait=999999999999999999999",
        "Prefer: WAIT = 30",
        "Prefer: wait=\"30\"",
        "Prefer: respond-async, wait=30",
        "Prefer: respond-async,wait=30;foo=bar",
        "Prefer: return=minimal\r\nPrefer: wait=30"
      })
  void waitingGet_getsTheTree_whenTheSessionCompletes(String preferences) throws Exception {
    post(start(id));
    try (Socket get = ask("GET", preferences);
        Socket head = ask("HEAD", preferences)) {
      post(event("1", "e")); // by then, both requests have most likely been read
      post(end(id));
      RawHttp response = RawHttp.read(get);
      assertThat(response.status()).as(response.body()).isEqualTo(200);
      assertThat(response.body()).isEqualTo(tree(event("1", "e")));
      assertThat(new String(head.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
          .startsWith("HTTP/1.1 200")
          .endsWith("\r\n\r\n");
    }
  }

  @Test
  void waitingGets_whoseClientsAreGone_areNotKept() throws Exception {
    post(start(id));
    double before = Scrape.of(server).own("connections");
    for (int i = 0; i < 50; i++) {
      Socket get = ask("GET", "Prefer: wait=60");
      if (i % 2 == 0) {
        get.setSoLinger(true, 0); // so that close() resets the connection
      }
      get.close();
    }
    Await.until(
        "their connections are closed", () -> Scrape.of(server).own("connections") <= before);
  }

  @Test
  void waitingGet_whoseClientSendsNoMore_getsItsResponseWithWhatIsThere() throws Exception {
    post(start(id));
    try (Socket get = ask("GET", "Prefer: wait=60")) {
      get.shutdownOutput();
      assertProblem(RawHttp.read(get), 409, "session_in_progress");
    }
  }

  @Test
  void requestBehindAWaitingGet_getsItsResponseAfterIt() throws Exception {
    post(start(id));
    try (Socket socket = RawHttp.open(server.port())) {
      String get = "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n";
      String both = get.formatted(path(), "Prefer: wait=60\r\n") + get.formatted("/health", "");
      socket.getOutputStream().write(both.getBytes(StandardCharsets.US_ASCII));
      post(event("1", "e"));
      post(end(id));
      assertThat(RawHttp.read(socket).body()).isEqualTo(tree(event("1", "e")));
      assertThat(RawHttp.read(socket).body()).contains("UP");
    }
  }

  @Test
  void waitingGet_getsInProgress_whenItsTimeIsUp() throws Exception {
    post(start(id));
    long began = System.nanoTime();
    HttpResult response = get("Prefer", "wait=1");
    assertThat(System.nanoTime() - began).isGreaterThanOrEqualTo(1_000_000_000L);
    assertThat(response.status()).isEqualTo(409);
    assertThat(response.body()).contains("\"session_in_progress\"", "\"entries\":1");
  }

  /** The wait ends when the connection is found idle, or after it was found so. */
  @ParameterizedTest
  @ValueSource(ints = {3, 6})
  void waitingGet_getsInProgress_andKeepsItsConnection_howeverQuickRequestsMustBe(int seconds)
      throws Exception {
    Socket[] waiting = new Socket[HASTY];
    String get = "GET %s HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=%d\r\n\r\n";
    byte[] request = get.formatted(path(), seconds).getBytes(StandardCharsets.US_ASCII);
    try (JarServer server = JarServer.start(folder.resolve(id), "--request-timeout", "3s");
        Crowd crowd = new Crowd(HASTY)) {
      postTo(server, id, start(id));
      crowd.each(
          i -> {
            waiting[i] = RawHttp.open(server.port());
            waiting[i].getOutputStream().write(request);
          });
      crowd.each(
          i -> {
            assertProblem(RawHttp.read(waiting[i]), 409, "session_in_progress");
            waiting[i].getOutputStream().write(request);
          });
      crowd.each(i -> assertProblem(RawHttp.read(waiting[i]), 409, "session_in_progress"));
    } finally {
      close(waiting);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "wait",
        "wait=",
        "wait=x",
        "wait=-1",
        "wait=0",
        "wait 60",
        "=60",
        ",;,",
        "await=60"
      })
  void preferenceThatIsNone_isIgnored(String preferences) throws Exception {
    post(start(id));
    RawHttp response =
        RawHttp.send(server.port(), "GET " + path(), "Prefer: " + preferences + "\r\n", "");
    assertProblem(response, 409, "session_in_progress");
  }

  private static void close(Socket... sockets) throws IOException {
    for (Socket socket : sockets) {
      if (socket != null) {
        socket.close();
      }
    }
  }

  @Test
  void waitForASessionOfWhichNothingIsStored_isNotFoundAtOnce() throws Exception {
    RawHttp response = RawHttp.send(server.port(), "GET " + path(), "Prefer: wait=60\r\n", "");
    assertProblem(response, 404, "session_not_found");
  }

  @Test
  void waitForASessionThatIsDeleted_isNotFound() throws Exception {
    post(start(id));
    try (Socket get = ask("GET", "Prefer: wait=60")) {
      post(event("1", "e"));
      delete();
      assertProblem(RawHttp.read(get), 404, "session_not_found");
    }
  }

  /** The selector may report late that a connection has the bytes of a request that is read. */
  @Test
  void waitingGets_oneAfterTheOtherOnAConnection_areNotTakenForHungUp() throws Exception {
    try (Crowd connections = new Crowd(CONNECTIONS)) {
      connections.each(
          i -> {
            try (Socket gets = RawHttp.open(server.port());
                Socket posts = RawHttp.open(server.port())) {
              for (int n = 0; n < SESSIONS; n++) {
                ask(posts, "POST " + events(i, n), message(start(name(i, n))));
                assertThat(RawHttp.read(posts).status()).isEqualTo(200);
              }
              for (int n = 0; n < SESSIONS; n++) {
                ask(gets, "GET /sessions/" + name(i, n), "");
                ask(posts, "POST " + events(i, n), message(end(name(i, n))));
                assertThat(RawHttp.read(posts).status()).isEqualTo(200);
                assertThat(RawHttp.read(gets).status()).isEqualTo(200);
              }
            }
          });
    }
  }

  private String name(int connection, int number) {
    return id + connection + "-" + number;
  }

  private String events(int connection, int number) {
    return "/sessions/" + name(connection, number) + "/events";
  }

  private static void ask(Socket socket, String requestLine, String body) throws IOException {
    String head = "%s HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nContent-Length: %d\r\n\r\n";
    byte[] bytes =
        (head.formatted(requestLine, body.length()) + body).getBytes(StandardCharsets.US_ASCII);
    socket.getOutputStream().write(bytes);
  }

  @Test
  void threeThousandThatWait_holdNoThreads_andAllGetTheirResponses() throws Exception {
    Socket[] waiting = new Socket[WAITING];
    try (JarServer server = JarServer.start(folder.resolve("waiting").resolve("store"));
        Crowd crowd = new Crowd(WAITING);
        Crowd sessions = new Crowd(SESSIONS)) {
      sessions.each(i -> postTo(server, id + i, start(id + i)));
      crowd.each(i -> waiting[i] = ask(server, "GET", id + i % SESSIONS, "Prefer: wait=60"));
      Await.until("all are connected", () -> Scrape.of(server).own("connections") >= WAITING);
      assertThat(server.threads()).isLessThan(FEW_THREADS);
      sessions.each(i -> postTo(server, id + i, event("1", id + i), end(id + i)));
      crowd.each(
          i -> {
            RawHttp response = RawHttp.read(waiting[i]);
            assertThat(response.status()).as(response.body()).isEqualTo(200);
            assertThat(response.body()).isEqualTo(tree(event("1", id + i % SESSIONS)));
          });
    } finally {
      close(waiting);
    }
  }

  @Test
  void startAndEnd_areReadAsTheyWereSent() throws Exception {
    post(bound("SESSION_START", "1e9", id), bound("SESSION_END", "100.50", id));
    assertThat(get().body())
        .isEqualTo("{\"type\":\"SESSION\",\"start\":1e9,\"end\":100.50,\"children\":[]}");
  }

  // If-Match

  /** Replaces T in a header value by the tree's tag, and G by the tag of its gzip form. */
  private static String tags(String template, String tag) {
    return template.replace("T", tag).replace("G", tag.replaceAll("\"$", "-gzip\""));
  }

  @ParameterizedTest
  @CsvSource({
    "T,                  200",
    "'\"other\", T',     200",
    "'T,\"other\"',      200",
    "'\"other\"\r\nIf-Match: T', 200",
    "*,                  200",
    "G,                  412",
    "W/T,                412",
    "'\"other\"',        412",
    "'\"\"',             412",
    "nonsense,           412",
    "'',                 412"
  })
  void ifMatch_lessThanTheTreesTag_isAFailedPrecondition(String template, int status)
      throws Exception {
    String path = "/sessions/" + complete();
    String tag = RawHttp.get(server.port(), path).headers().get("etag");
    String header = "If-Match: " + tags(template, tag) + "\r\n";
    for (String line : List.of("GET " + path, "HEAD " + path)) {
      RawHttp response = RawHttp.send(server.port(), line, header, "");
      assertThat(response.status()).isEqualTo(status);
      RawHttp both =
          RawHttp.send(server.port(), line, header + "If-None-Match: " + tag + "\r\n", "");
      assertThat(both.status()).as("If-Match comes first").isEqualTo(status == 200 ? 304 : 412);
    }
    if (status == 412) {
      RawHttp response = RawHttp.send(server.port(), "GET " + path, header, "");
      assertProblem(response, 412, "precondition_failed");
      assertThat(response.headers()).containsEntry("cache-control", "no-store");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "T,           204",
    "G,           204",
    "*,           204",
    "'\"x\", T',  204",
    "W/T,         412",
    "'\"other\"', 412"
  })
  void ifMatch_guardsADeletion(String template, int status) throws Exception {
    String path = "/sessions/" + complete();
    String tag = RawHttp.get(server.port(), path).headers().get("etag");
    String header = "If-Match: " + tags(template, tag) + "\r\n";
    assertThat(RawHttp.send(server.port(), "DELETE " + path, header, "").status())
        .isEqualTo(status);
    assertThat(RawHttp.get(server.port(), path).status()).isEqualTo(status == 204 ? 404 : 200);
    RawHttp nothing = RawHttp.send(server.port(), "DELETE " + path + "x", header, "");
    assertProblem(nothing, 404, "session_not_found");
  }

  @ParameterizedTest
  @CsvSource({"T, 412", "W/T, 412", "*, 412", "'\"x\", T', 412", "'\"other\"', 204"})
  void ifNoneMatch_guardsADeletion(String template, int status) throws Exception {
    String path = "/sessions/" + complete();
    String tag = RawHttp.get(server.port(), path).headers().get("etag");
    String header = "If-None-Match: " + tags(template, tag) + "\r\n";
    assertThat(RawHttp.send(server.port(), "DELETE " + path, header, "").status())
        .isEqualTo(status);
    assertThat(RawHttp.get(server.port(), path).status()).isEqualTo(status == 204 ? 404 : 200);
    RawHttp nothing = RawHttp.send(server.port(), "DELETE " + path + "x", header, "");
    assertProblem(nothing, 404, "session_not_found");
  }

  @Test
  void oldTag_doesNotDeleteTheIdsNewSession() throws Exception {
    String id = complete();
    String path = "/sessions/" + id;
    String old = "If-Match: " + RawHttp.get(server.port(), path).headers().get("etag") + "\r\n";
    assertThat(RawHttp.send(server.port(), "DELETE " + path, "", "").status()).isEqualTo(204);
    RawHttp.post(server.port(), path + "/events", message(start(id)));
    assertProblem(
        RawHttp.send(server.port(), "DELETE " + path, old, ""), 412, "precondition_failed");
    assertProblem(RawHttp.send(server.port(), "GET " + path, old, ""), 409, "session_in_progress");
    RawHttp.post(server.port(), path + "/events", message(end(id)));
    assertProblem(
        RawHttp.send(server.port(), "DELETE " + path, old, ""), 412, "precondition_failed");
    assertThat(RawHttp.get(server.port(), path).status()).isEqualTo(200);
  }

  private static String complete() throws Exception {
    String id = newId();
    String body = message(start(id), end(id));
    assertThat(RawHttp.post(server.port(), "/sessions/" + id + "/events", body).status())
        .isEqualTo(200);
    return id;
  }

  // Partial trees

  private HttpResult getPartial(String... headers) throws Exception {
    return HttpResult.send(server, "GET", path() + "?partial=true", headers);
  }

  @Test
  void partialTree_isOfAnOpenSession_andIsNotKept() throws Exception {
    post(start(id), event("2", "b"), event("1", "a"));
    HttpResult plain = getPartial();
    String tree =
        "{\"type\":\"SESSION\",\"start\":%s,\"open\":true,\"children\":[%s,%s]}"
            .formatted(Entries.START, event("1", "a"), event("2", "b"));
    assertThat(plain.status()).isEqualTo(200);
    assertThat(plain.body()).isEqualTo(tree);
    assertThat(plain.headers())
        .containsEntry("cache-control", "no-store")
        .doesNotContainKey("etag");
    assertThat(getPartial("Accept-Encoding", "gzip").body()).isEqualTo(tree);
    assertThat(getPartial("Prefer", "wait=60").body()).isEqualTo(tree);
    HttpResult head = HttpResult.send(server, "HEAD", path() + "?partial=true");
    assertThat(head.headers()).containsEntry("content-length", "" + tree.length());
    assertProblem(
        RawHttp.get(server.port(), path() + "?partial=false"), 409, "session_in_progress");
    assertProblem(RawHttp.get(server.port(), path() + "?partial=yes"), 400, "invalid_parameter");
  }

  @Test
  void partialTree_ofACompleteSession_isTheTree_andOfNoneIsNotFound() throws Exception {
    assertProblem(RawHttp.get(server.port(), path() + "?partial=true"), 404, "session_not_found");
    post(start(id), event("1", "a"), end(id));
    assertThat(getPartial().body()).isEqualTo(get().body());
    assertThat(getPartial().headers().get("etag")).isEqualTo(tag());
    delete();
    assertProblem(RawHttp.get(server.port(), path() + "?partial=true"), 404, "session_not_found");
  }
}
