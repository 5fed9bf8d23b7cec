package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may do what, by token, by Host header, and by Origin header. */
class AccessIT {
  private static final String WRITE = "w-token.~+/=1";
  private static final String READ = "r-token";
  private static final String ADMIN = "a-token";
  private static final String SECRET = "secret-session";
  private static final String ALLOWED = "https://app.example:8443";

  @TempDir static Path folder;
  private static JarServers servers;

  private static JarServer guarded;
  private static JarServer plain;
  private static JarServer listed;
  private static JarServer forAll;

  private final String id = newId();

  @BeforeAll
  static void startServers() throws Exception {
    servers = new JarServers(folder);
    guarded =
        servers.get(
            "guarded", "--write-token", WRITE, "--read-token", READ, "--admin-token", ADMIN);
    plain = servers.get("plain", "--allowed-host=EXAMPLE.org,docker_service");
    listed =
        servers.get(
            "listed",
            "--allowed-origin",
            ALLOWED,
            "--allowed-origin=http://b.example,http://c",
            "--allowed-origin=https://h.example:443,http://h.example:80,HTTPS://Upper.Example");
    forAll = servers.get("forAll", "--allowed-origin", "*");
    String whole = message(start(SECRET), end(SECRET));
    String bearer = "Bearer " + WRITE;
    HttpResult stored =
        HttpResult.post(guarded, "/sessions/" + SECRET + "/events", whole, "Authorization", bearer);
    assertThat(stored.status()).isEqualTo(200);
  }

  @AfterAll
  static void endServers() throws Exception {
    servers.close();
  }

  // Tokens

  /** Sends a request; the method {@code UPGRADE} stands for a WebSocket handshake. */
  private static RawHttp ask(JarServer server, String method, String path, String headers)
      throws Exception {
    return method.equals("UPGRADE")
        ? RawHttp.send(server.port(), "GET " + path, RawHttp.UPGRADE + headers, "")
        : RawHttp.send(
            server.port(), method + " " + path, headers, method.equals("POST") ? "[]" : "");
  }

  @ParameterizedTest
  @CsvSource({
    "POST,    /sessions/a/events, w-token.~+/=1, 400",
    "GET,     /sessions/a/stream, w-token.~+/=1, 426",
    "HEAD,    /sessions/a/stream, w-token.~+/=1, 426",
    "UPGRADE, /sessions/a/stream, w-token.~+/=1, 101",
    "GET,     /sessions/secret-session, r-token, 200",
    "HEAD,    /sessions/secret-session, r-token, 200",
    "GET,     /sessions,          r-token, 200",
    "GET,     /metrics,           r-token, 200",
    "DELETE,  /sessions/unknown,  a-token, 404"
  })
  void eachRoute_takesItsTokenOnly_orThatOfTheAdmin(
      String method, String path, String token, int status) throws Exception {
    for (String authorization :
        List.of(
            "Bearer " + token + "x",
            "Bearer " + token.substring(1),
            "Bearer " + token.toUpperCase(),
            "Bearer",
            "Bearer ",
            "Bearer" + token,
            "Basic " + token,
            token,
            "")) {
      assertUnauthorized(
          method, ask(guarded, method, path, "Authorization: " + authorization + "\r\n"));
    }
    assertUnauthorized(method, ask(guarded, method, path, ""));
    for (String query : List.of("", token.substring(1), token + "%00", "%zz", "%u0041")) {
      assertUnauthorized(method, ask(guarded, method, path + "?access_token=" + query, ""));
    }
    for (String other : List.of(READ, WRITE)) {
      if (!other.equals(token)) {
        RawHttp bearer = ask(guarded, method, path, "Authorization: Bearer " + other + "\r\n");
        assertForbidden(method, bearer);
        String query = "?access_token=" + other.replace("+", "%2B");
        assertForbidden(method, ask(guarded, method, path + query, ""));
      }
    }
    for (String right : List.of(token, ADMIN)) {
      for (String scheme : List.of("Bearer", "bearer")) {
        String header = "Authorization: " + scheme + " " + right + "\r\n";
        assertThat(ask(guarded, method, path, header).status()).isEqualTo(status);
      }
      String encoded = right.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D");
      assertThat(ask(guarded, method, path + "?access_token=" + encoded, "").status())
          .isEqualTo(status);
    }
  }

  private static void assertForbidden(String method, RawHttp response) throws Exception {
    if (method.equals("HEAD")) {
      assertThat(response.status()).isEqualTo(403);
    } else {
      assertProblem(response, 403, "forbidden");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'Basic dXNlcjpwYXNz',  r-token",
    "'Bearer wrong',        r-token",
    "'Bearer r-token',      wrong",
    "'Bearer r-token',      w-token.~%2B/=1",
    "'Bearer r-token',      %zz",
    "'Digest a=\"b\"\r\nAuthorization: Bearer r-token', wrong"
  })
  void oneTokenThatIsRight_isEnough(String authorization, String query) throws Exception {
    String headers = "Authorization: " + authorization.replace("\\r\\n", "\r\n") + "\r\n";
    RawHttp response = ask(guarded, "GET", "/sessions?access_token=" + query, headers);
    assertThat(response.status()).isEqualTo(200);
    String twice = "/sessions?access_token=wrong&access_token=" + READ;
    assertThat(ask(guarded, "GET", twice, "").status()).isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource({
    "'sessiontree, bearer.%s',     sessiontree",
    "'bearer.%s,sessiontree',      sessiontree",
    "'a, bearer.wrong, bearer.%s', ",
    "'bearer.%s\r\nSec-WebSocket-Protocol: sessiontree', sessiontree"
  })
  void tokenAsASubprotocol_isTaken_andNeverEchoed(String offers, String accepted) throws Exception {
    JarServer server = servers.get("subprotocol", "--write-token=by.protocol", "--log-level=trace");
    String protocols = "Sec-WebSocket-Protocol: " + offers + "\r\n";
    String path = "/sessions/" + id + "/stream";
    RawHttp response = ask(server, "UPGRADE", path, protocols.formatted("by.protocol"));
    assertThat(response.status()).isEqualTo(101);
    assertThat(response.headers().get("sec-websocket-protocol")).isEqualTo(accepted);
    assertThat(response.toString()).doesNotContain("by.protocol");
    RawHttp refused = ask(server, "UPGRADE", path, protocols.formatted("by-protocol"));
    assertProblem(refused, 401, "unauthorized");
    assertThat(refused.toString()).doesNotContain("by-protocol");
    assertThat(server.errors()).doesNotContain("by.protocol", "by-protocol");
  }

  @ParameterizedTest
  @ValueSource(strings = {"post", "Post", "delete", "PUT", "PATCH", "QUERY", "TRACE", "NONSENSE"})
  void methodThatIsNotKnown_needsTheAdminToken(String method) throws Exception {
    String path = "/sessions/" + SECRET + (method.equalsIgnoreCase("post") ? "/events" : "");
    assertProblem(ask(guarded, method, path, ""), 401, "unauthorized");
    for (String token : List.of(READ, WRITE)) {
      RawHttp response = ask(guarded, method, path, "Authorization: Bearer " + token + "\r\n");
      assertProblem(response, 403, "forbidden");
    }
    RawHttp still = RawHttp.get(guarded.port(), "/sessions/" + SECRET + "?access_token=" + READ);
    assertThat(still.status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--read-token=only", "--write-token=only"})
  void withoutAnAdminToken_nobodyDeletes_onceThereIsAToken(String flag) throws Exception {
    JarServer server = servers.get(flag.replace("--", ""), flag);
    String path = "/sessions/" + id;
    String bearer = "Authorization: Bearer only\r\n";
    RawHttp stored =
        RawHttp.post(server.port(), path + "/events?access_token=only", message(start(id)));
    assertThat(stored.status()).isEqualTo(200);
    assertProblem(ask(server, "DELETE", path, ""), 401, "unauthorized");
    assertProblem(ask(server, "DELETE", path, bearer), 403, "forbidden");
    assertThat(ask(server, "GET", path, bearer).status()).as("not deleted").isEqualTo(409);
  }

  @Test
  void sideWithoutAToken_isOpen_besideAnAdminToken() throws Exception {
    JarServer server = servers.get("admin", "--admin-token=only");
    String path = "/sessions/" + id;
    assertThat(RawHttp.post(server.port(), path + "/events", message(start(id))).status())
        .isEqualTo(200);
    assertThat(RawHttp.get(server.port(), path).status()).isEqualTo(409);
    assertProblem(ask(server, "DELETE", path, ""), 401, "unauthorized");
    assertThat(ask(server, "DELETE", path + "?access_token=only", "").status()).isEqualTo(204);
  }

  private static void assertUnauthorized(String method, RawHttp response) throws Exception {
    if (method.equals("HEAD")) {
      assertThat(response.status()).isEqualTo(401);
    } else {
      assertProblem(response, 401, "unauthorized");
    }
    assertThat(response.headers().get("www-authenticate")).startsWith("Bearer");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/health", "/openapi.json", "/asyncapi.json"})
  void whatIsFree_needsNoToken(String path) throws Exception {
    assertThat(ask(guarded, "GET", path, "").status()).isEqualTo(200);
    assertThat(ask(guarded, "GET", path, "Authorization: Bearer wrong\r\n").status())
        .isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/%73essions",
        "/%73essions/secret-session",
        "//sessions",
        "//sessions/secret-session",
        "/./sessions",
        "/sessions;/health",
        "/sessions;x=/health",
        "/sessions%00/health",
        "/sessions/%2e%2e/health",
        "/sessions/../health",
        "/sessions/secret-session;/../../health",
        "/health/..;/sessions",
        "/health/../sessions",
        "/health/%2e%2e/sessions/secret-session",
        "/health%2f..%2fsessions",
        "/health/..%2fsessions/secret-session",
        "/health;/../sessions/secret-session",
        "/openapi.json/../metrics",
        "/Sessions",
        "/sessions/",
        "/sessions/secret-session/",
        "/sessions/secret%2dsession",
        "\\sessions",
        "/metrics;x",
        "/%6detrics",
        "http://localhost/sessions",
        "http://localhost/health/../sessions",
        "/health#/../sessions",
        "/health?/../sessions"
      })
  void noWayToWriteAPath_getsRoundTheToken(String path) throws Exception {
    for (String method : List.of("GET", "HEAD", "DELETE")) {
      RawHttp response = ask(guarded, method, path, "");
      assertThat(response.body()).doesNotContain(SECRET, "sessiontree_", "\"sessions\"");
      if (response.status() == 200) { // "/health?..." does ask for /health
        assertThat(path).startsWith("/health");
        assertThat(response.body()).isIn("", "{\"status\":\"UP\"}");
      }
    }
    RawHttp still = RawHttp.get(guarded.port(), "/sessions/" + SECRET + "?access_token=" + READ);
    assertThat(still.status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/sessions/secret-session/../secret-session/stream",
        "/sessions/./stream",
        "/sessions/secret-session;/stream",
        "/sessions/secret-session%2f/stream",
        "/sessions/../metrics/stream",
        "/sessions/..%2f..%2fmetrics%3f/stream",
        "/sessions/secret-session?/stream"
      })
  void writeToken_readsAndDeletesNothing_howeverThePathIsWritten(String path) throws Exception {
    for (String method : List.of("GET", "DELETE")) {
      RawHttp response = ask(guarded, method, path, "Authorization: Bearer " + WRITE + "\r\n");
      assertThat(response.status()).isIn(400, 401, 403, 404, 405, 426);
      assertThat(response.body()).doesNotContain("\"SESSION\"", "sessiontree_");
    }
  }

  /** Headers by which a proxy, a form or a framework may override the request line's method. */
  private static final List<String> OVERRIDES =
      List.of(
          "X-HTTP-Method-Override", "x-http-method-override", "X-HTTP-Method", "X-Method-Override");

  @Test
  void noHeader_overridesTheMethod() throws Exception {
    String whole = message(start(id), end(id));
    String path = "/sessions/" + id + "/events";
    for (String override : OVERRIDES) {
      for (String query : List.of("", "?_method=POST", "?X-HTTP-Method-Override=POST")) {
        String headers = "Authorization: Bearer %s\r\n%s: POST\r\n".formatted(READ, override);
        RawHttp writes = RawHttp.send(guarded.port(), "GET " + path + query, headers, whole);
        assertProblem(writes, 405, "method_not_allowed");
      }
      for (String method : List.of("GET", "DELETE", "HEAD")) {
        String headers =
            "Authorization: Bearer %s\r\n%s: %s\r\n".formatted(WRITE, override, method);
        RawHttp reads =
            RawHttp.send(guarded.port(), "POST /sessions/" + SECRET, headers, "_method=" + method);
        assertProblem(reads, 405, "method_not_allowed");
      }
    }
    RawHttp read = RawHttp.get(guarded.port(), "/sessions/" + id + "?access_token=" + READ);
    assertProblem(read, 404, "session_not_found");
    RawHttp kept = RawHttp.get(guarded.port(), "/sessions/" + SECRET + "?access_token=" + READ);
    assertThat(kept.status()).isEqualTo(200);
  }

  @Test
  void tokens_areNeverInLogsOrResponses() throws Exception {
    JarServer server =
        JarServer.start(
            folder.resolve("logging").resolve("store"),
            "--write-token=" + WRITE,
            "--read-token=" + READ,
            "--admin-token=" + ADMIN,
            "--log-level=trace");
    String query = "access_token=" + WRITE.replace("+", "%2B");
    for (String path :
        List.of(
            "/sessions/x/events", "/sessions/x/stream", "/nothing", "/sessions/%zz", "/sessions")) {
      for (String method : List.of("GET", "POST", "DELETE", "UPGRADE", "NONSENSE")) {
        for (String headers :
            List.of(
                "Authorization: Bearer " + WRITE + "\r\n",
                "Authorization: Bearer " + READ + "\r\n",
                "Authorization: Bearer " + ADMIN + "\r\n",
                "Authorization: Bearer " + READ + "\r\nA bad header\r\n")) {
          RawHttp response = ask(server, method, path + "?" + query, headers);
          assertThat(response.toString()).doesNotContain("token.~", READ, ADMIN);
        }
      }
    }
    String compression = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    for (String headers : List.of("", compression)) {
      try (RawStream stream = RawStream.connect(server.port(), id, query, headers)) {
        stream.next("OPEN");
        stream.send(message(start(id)));
        stream.next("ACK");
      }
    }
    assertThat(server.terminate()).isZero();
    // Frames may lie in buffers that held a head with a token before.
    assertThat(server.errors()).doesNotContain("token.~", READ, ADMIN, "OPEN", "SESSION_START");
  }

  @Test
  void tokens_mayStandInFilesAndVariables() throws Exception {
    Path file = Files.writeString(folder.resolve("tokens"), "from-file\n\n  another \n");
    Path store = folder.resolve("by file").resolve("store");
    try (JarServer server =
        JarServer.of(store)
            .flags("--write-token", "@" + file, "--write-token=by-flag")
            .variable("SESSIONTREE_READ_TOKEN", "by-variable,@" + file)
            .variable("SESSIONTREE_ADMIN_TOKEN", "")
            .start()) {
      assertThat(ask(server, "GET", "/sessions", "").status()).isEqualTo(401);
      assertThat(ask(server, "POST", "/sessions/a/events", "").status()).isEqualTo(401);
      for (String token : List.of("from-file", "another", "by-variable")) {
        assertThat(ask(server, "GET", "/sessions?access_token=" + token, "").status())
            .isEqualTo(200);
      }
      for (String token : List.of("from-file", "another", "by-flag")) {
        RawHttp response = ask(server, "POST", "/sessions/a/events?access_token=" + token, "");
        assertThat(response.status()).isEqualTo(400);
      }
      for (String other : List.of("by-flag,from-file", "from-file%0A", "another%20")) {
        RawHttp response = ask(server, "POST", "/sessions/a/events?access_token=" + other, "");
        assertThat(response.status()).isEqualTo(401);
      }
    }
    try (JarServer server =
        JarServer.of(store).variable("SESSIONTREE_READ_TOKEN", "by-variable").start()) {
      assertThat(ask(server, "GET", "/sessions?access_token=by-variable", "").status())
          .isEqualTo(200);
      assertThat(ask(server, "POST", "/sessions/a/events", "").status())
          .as("the other token is not set")
          .isEqualTo(400);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0.0.0.0,   '',                           true",
    "0.0.0.0,   --write-token=a,              true",
    "0.0.0.0,   --read-token=a,               true",
    "0.0.0.0,   --write-token=a --read-token=b, false",
    "127.0.0.1, '',                           false",
    "localhost, '',                           false"
  })
  void serverThatAnybodyMayReach_warns_unlessItHasBothTokens(
      String host, String tokens, boolean warns) throws Exception {
    JarServer.Launch launch =
        JarServer.of(folder.resolve("warned").resolve("store")).flags("--host", host);
    try (JarServer server = (tokens.isEmpty() ? launch : launch.flags(tokens.split(" "))).start()) {
      assertThat(server.terminate()).isZero();
      if (warns) {
        assertThat(server.errors().lines())
            .filteredOn(line -> line.contains("WARN"))
            .singleElement()
            .asString()
            .contains("-token");
      } else {
        assertThat(server.errors()).doesNotContain("WARN");
      }
    }
  }

  // Hosts

  private static RawHttp to(JarServer server, String request, String host, String headers)
      throws Exception {
    String line = host == null ? " HTTP/1.0\r\n" : " HTTP/1.1\r\nHost: " + host + "\r\n";
    return RawHttp.exchange(server.port(), request + line + headers + "\r\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "attacker.example",
        "attacker.example:8080",
        "ATTACKER.example.",
        "127.0.0.1.attacker.example",
        "localhost.attacker.example",
        "notlocalhost",
        "attacker-localhost:80",
        "sub.example.org",
        "example.org.attacker.example",
        "1",
        "0x7f.1"
      })
  void nameThatIsNotTheServers_isRefused_whereThereIsNoToken(String host) throws Exception {
    String close = "Connection: close\r\n";
    String path = "/sessions/" + id;
    assertThat(RawHttp.post(plain.port(), path + "/events", message(start(id))).status())
        .isEqualTo(200);
    for (String request :
        List.of(
            "GET /sessions",
            "GET " + path,
            "POST " + path + "/events",
            "GET " + path + "/stream",
            "DELETE " + path,
            "GET /metrics",
            "GET /health",
            "GET /openapi.json",
            "GET /nothing",
            "PUT /nothing",
            "OPTIONS " + path)) {
      assertProblem(to(plain, request, host, close), 403, "host_not_allowed");
      String own = "Origin: http://" + host + "\r\nAccess-Control-Request-Method: DELETE\r\n";
      assertProblem(to(plain, request, host, close + own), 403, "host_not_allowed");
    }
    RawHttp upgrade = to(plain, "GET " + path + "/stream", host, RawHttp.UPGRADE);
    assertProblem(upgrade, 403, "host_not_allowed");
    assertThat(to(plain, "HEAD " + path, host, close).status()).isEqualTo(403);
    assertThat(to(guarded, "GET /health", host, close).status())
        .as("a token is set")
        .isEqualTo(200);
    assertThat(to(anyHost(), "GET /sessions", host, close).status()).as("*").isEqualTo(200);
    assertThat(RawHttp.get(plain.port(), path).status()).as("not deleted").isEqualTo(409);
  }

  private static JarServer anyHost() throws Exception {
    return servers.get("anyHost", "--allowed-host=*");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost",
        "localhost:8080",
        "LocalHost.:80",
        "app.localhost",
        "127.0.0.1",
        "127.0.0.1:8080",
        "192.168.1.20:80",
        "[::1]",
        "[::1]:8080",
        "[fe80::1]",
        "example.org",
        "Example.ORG.:8443",
        "docker_service:8080"
      })
  void nameThatIsTheServers_isTaken(String host) throws Exception {
    RawHttp response = to(plain, "GET /sessions", host, "Connection: close\r\n");
    assertThat(response.status()).isEqualTo(200);
    String path = "/sessions/" + id + "/stream";
    assertThat(to(plain, "GET " + path, host, RawHttp.UPGRADE).status()).isEqualTo(101);
  }

  @Test
  void requestWithoutAHost_isTaken() throws Exception {
    assertThat(to(plain, "GET /sessions", null, "").status()).isEqualTo(200);
  }

  @Test
  void hostThatIsNotTheRequestLines_isRefused() throws Exception {
    String close = "Connection: close\r\n";
    for (String line : List.of("http://attacker.example/sessions", "http://localhost:1/sessions")) {
      assertThat(to(plain, "GET " + line, "localhost", close).status()).isEqualTo(400);
    }
    assertThat(to(plain, "GET http://localhost/sessions", "localhost", close).status())
        .isEqualTo(200);
    assertProblem(
        to(plain, "GET http://attacker.example/sessions", "attacker.example", close),
        403,
        "host_not_allowed");
  }

  // Origins

  private static RawHttp from(
      JarServer server, String method, String path, String host, String origin) throws Exception {
    boolean upgrade = method.equals("UPGRADE");
    boolean post = method.equals("POST");
    String body = post ? message(start(path.split("/")[2])) : "";
    return RawHttp.exchange(
        server.port(),
        "%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\n%s%s\r\n%s"
            .formatted(
                upgrade ? "GET" : method,
                path,
                host,
                origin,
                upgrade ? RawHttp.UPGRADE : "Connection: close\r\n",
                post ? "Content-Length: " + body.length() + "\r\n" : "",
                body));
  }

  @ParameterizedTest
  @CsvSource({
    "localhost:8080,    http://localhost:8080",
    "example.org,       http://example.org",
    "example.org,       https://example.org",
    "example.org,       http://example.org:80",
    "example.org:80,    http://example.org",
    "example.org,       https://example.org:443",
    "example.org:443,   https://example.org",
    "EXAMPLE.org,       http://example.org",
    "example.org,       http://EXAMPLE.org",
    "'[::1]:8080',      'http://[::1]:8080'"
  })
  void pageOfTheServersOwnHost_mayDoAll(String host, String origin) throws Exception {
    String path = "/sessions/" + id;
    assertThat(from(plain, "GET", "/sessions", host, origin).status()).isEqualTo(200);
    assertThat(from(plain, "POST", path + "/events", host, origin).status()).isEqualTo(200);
    assertThat(from(plain, "UPGRADE", path + "/stream", host, origin).status()).isEqualTo(101);
    assertThat(from(plain, "DELETE", path, host, origin).status()).isEqualTo(204);
  }

  @ParameterizedTest
  @CsvSource({
    "localhost,         http://elsewhere.example",
    "localhost,         null",
    "localhost,         http://localhost:8080",
    "localhost:8080,    http://localhost",
    "localhost:8080,    http://localhost:8081",
    "example.org:443,   http://example.org",
    "example.org:80,    https://example.org",
    "localhost,         http://localhost.evil.example",
    "localhost,         http://evil-localhost",
    "localhost,         http://localhost@evil.example",
    "localhost,         localhost",
    "localhost,         ''",
    "localhost,         *",
    "localhost,         'http://localhost http://evil.example'",
    "localhost,         'http://localhost, http://evil.example'"
  })
  void pageOfAnotherHost_mayDoNothing(String host, String origin) throws Exception {
    String path = "/sessions/" + id;
    assertThat(RawHttp.post(plain.port(), path + "/events", message(start(id))).status())
        .isEqualTo(200);
    for (String[] request :
        List.of(
            new String[] {"GET", "/sessions"},
            new String[] {"GET", path},
            new String[] {"POST", "/sessions/" + id + "x/events"},
            new String[] {"UPGRADE", path + "/stream"},
            new String[] {"DELETE", path})) {
      RawHttp response = from(plain, request[0], request[1], host, origin);
      assertProblem(response, 403, "origin_not_allowed");
      assertThat(response.headers()).doesNotContainKey("access-control-allow-origin");
    }
    assertThat(RawHttp.get(plain.port(), path).status()).as("not deleted").isEqualTo(409);
    assertThat(RawHttp.get(plain.port(), path + "x").status()).as("not stored").isEqualTo(404);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        ALLOWED,
        "http://b.example",
        "http://c",
        "HTTPS://APP.example:8443",
        "https://h.example",
        "http://h.example",
        "https://upper.example"
      })
  void pageOfAnAllowedOrigin_mayDoAll_andSeeIt(String origin) throws Exception {
    String path = "/sessions/" + id;
    for (String[] request :
        List.of(
            new String[] {"POST", path + "/events", "200"},
            new String[] {"GET", path, "409"},
            new String[] {"DELETE", path, "204"},
            new String[] {"GET", "/nothing", "404"})) {
      RawHttp response = from(listed, request[0], request[1], "localhost", origin);
      assertThat(response.status()).isEqualTo(Integer.parseInt(request[2]));
      assertThat(response.headers()).containsEntry("access-control-allow-origin", origin);
      assertThat(response.headers()).containsEntry("access-control-allow-credentials", "true");
      assertThat(response.headers().get("access-control-expose-headers")).contains("ETag");
      assertThat(response.headers().get("vary")).contains("Origin");
    }
    assertThat(from(listed, "UPGRADE", path + "/stream", "localhost", origin).status())
        .isEqualTo(101);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://app.example:8443",
        "https://app.example",
        "https://app.example:84430",
        "https://x.app.example:8443",
        "http://b.example:8080",
        "null"
      })
  void originThatIsNotOnTheList_isRefused(String origin) throws Exception {
    RawHttp response = from(listed, "GET", "/sessions", "localhost", origin);
    assertProblem(response, 403, "origin_not_allowed");
    assertThat(response.headers()).doesNotContainKey("access-control-allow-origin");
  }

  @Test
  void responses_varyByOrigin_whereSomeAreAllowed() throws Exception {
    assertThat(RawHttp.get(listed.port(), "/health").headers().get("vary")).contains("Origin");
    String path = "/sessions/" + id;
    RawHttp.post(listed.port(), path + "/events", message(start(id), end(id)));
    assertThat(HttpResult.send(listed, "GET", path).headers().get("vary"))
        .contains("Origin", "Accept-Encoding");
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://anywhere.example", "null"})
  void everyOrigin_mayDoAll_whereAllAreAllowed(String origin) throws Exception {
    RawHttp response = from(forAll, "GET", "/sessions", "localhost", origin);
    assertThat(response.status()).isEqualTo(200);
    assertThat(response.headers()).containsEntry("access-control-allow-origin", "*");
    assertThat(from(forAll, "UPGRADE", "/sessions/" + id + "/stream", "localhost", origin).status())
        .isEqualTo(101);
  }

  @Test
  void originOnTheListAndAll_mayDoWithCredentials_whatOthersMayDoWithout() throws Exception {
    JarServer server =
        servers.get("namedAndAll", "--allowed-origin=*", "--allowed-origin=" + ALLOWED);
    RawHttp named = from(server, "GET", "/sessions", "localhost", ALLOWED);
    assertThat(named.headers())
        .containsEntry("access-control-allow-origin", ALLOWED)
        .containsEntry("access-control-allow-credentials", "true");
    for (String origin : List.of("https://other.example", "null", "*")) {
      RawHttp other = from(server, "GET", "/sessions", "localhost", origin);
      assertThat(other.headers())
          .containsEntry("access-control-allow-origin", "*")
          .doesNotContainKey("access-control-allow-credentials");
      assertThat(other.headers().get("vary")).contains("Origin");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/sessions", "/sessions/a", "/sessions/a/events", "/metrics"})
  void preflight_ofAnAllowedOrigin_getsItsResponse(String path) throws Exception {
    RawHttp response = preflight(listed, path, ALLOWED, "");
    assertThat(response.status()).isEqualTo(204);
    assertThat(response.body()).isEmpty();
    assertThat(response.headers())
        .containsEntry("access-control-allow-origin", ALLOWED)
        .containsEntry("access-control-allow-credentials", "true")
        .containsKey("access-control-max-age")
        .doesNotContainKey("access-control-allow-headers");
    assertThat(response.headers().get("access-control-allow-methods"))
        .contains("GET", "HEAD", "POST", "DELETE");
    assertThat(response.headers().get("vary")).contains("Access-Control-Request-Headers");
  }

  @ParameterizedTest
  @CsvSource({
    "'traceparent,sentry-trace',         'traceparent, sentry-trace'",
    "'authorization, content-encoding',  'authorization, content-encoding'",
    "'If-Match,if-none-match,prefer',    'If-Match, if-none-match, prefer'",
    "'x-a\r\nAccess-Control-Request-Headers: x-b', 'x-a, x-b'",
    "'good,bad name,b\u00e4d,(bad),fine', 'good, fine'",
    "'', "
  })
  void preflight_allowsTheHeadersThatItAsksFor(String asked, String allowed) throws Exception {
    for (JarServer server : List.of(listed, forAll)) {
      String headers = "Access-Control-Request-Headers: " + asked + "\r\n";
      RawHttp response = preflight(server, "/sessions/a", ALLOWED, headers);
      assertThat(response.status()).isEqualTo(204);
      assertThat(response.headers().get("access-control-allow-headers")).isEqualTo(allowed);
    }
  }

  @Test
  void preflightThatAsksForVeryMuch_getsItsResponse() throws Exception {
    String headers = "Access-Control-Request-Headers: " + "x-long-name,".repeat(600) + "last\r\n";
    RawHttp response = preflight(listed, "/sessions/a", ALLOWED, headers);
    assertThat(response.status()).isEqualTo(204);
    assertThat(response.headers().get("access-control-allow-headers")).startsWith("x-long-name, ");
  }

  private static RawHttp preflight(JarServer server, String path, String origin, String headers)
      throws Exception {
    return RawHttp.send(
        server.port(),
        "OPTIONS " + path,
        "Origin: " + origin + "\r\nAccess-Control-Request-Method: DELETE\r\n" + headers,
        "");
  }

  @Test
  void preflight_ofAnotherOrigin_isRefused() throws Exception {
    assertProblem(
        preflight(listed, "/sessions/a", "http://elsewhere.example", ""),
        403,
        "origin_not_allowed");
    assertProblem(
        preflight(plain, "/sessions/a", "http://elsewhere.example", ""), 403, "origin_not_allowed");
  }

  @Test
  void preflight_needsNoToken_andItsRequestDoes() throws Exception {
    try (JarServer server =
        JarServer.start(
            folder.resolve("both").resolve("store"), "--admin-token=a", "--allowed-origin=*")) {
      assertThat(preflight(server, "/sessions/a", "http://a.example", "").status()).isEqualTo(204);
      RawHttp response = from(server, "DELETE", "/sessions/a", "localhost", "http://a.example");
      assertProblem(response, 401, "unauthorized");
      assertThat(response.headers()).containsEntry("access-control-allow-origin", "*");
      assertThat(ask(server, "OPTIONS", "/sessions", "").status()).isNotEqualTo(204);
    }
  }

  // Headers

  @Test
  void responses_areNotSniffed_andDoNotNameTheServersKind() throws Exception {
    String path = "/sessions/" + id;
    List<RawHttp> responses =
        List.of(
            RawHttp.get(plain.port(), path),
            RawHttp.post(plain.port(), path + "/events", message(start(id))),
            RawHttp.post(plain.port(), path + "/events", "["),
            RawHttp.post(plain.port(), path + "/events", message(end(id))),
            RawHttp.get(plain.port(), path),
            RawHttp.get(plain.port(), path + "/stream"),
            RawHttp.get(plain.port(), "/sessions"),
            RawHttp.get(plain.port(), "/metrics"),
            RawHttp.get(plain.port(), "/health"),
            RawHttp.get(plain.port(), "/nothing"),
            RawHttp.get(guarded.port(), "/sessions"),
            RawHttp.send(plain.port(), "PUT " + path, "", ""),
            RawHttp.send(plain.port(), "DELETE " + path, "", ""),
            RawHttp.send(plain.port(), "GET /health", "Origin: http://elsewhere\r\n", ""));
    for (RawHttp response : responses) {
      assertThat(response.headers()).containsEntry("x-content-type-options", "nosniff");
    }
    RawHttp unreadable = RawHttp.send(plain.port(), "GET /health", "A bad header\r\n", "");
    RawHttp upgraded = RawHttp.upgrade(plain.port(), "/sessions/" + id + "/stream");
    for (RawHttp response : List.of(responses.get(0), responses.get(6), unreadable, upgraded)) {
      assertThat(response.headers()).containsEntry("x-content-type-options", "nosniff");
      assertThat(response.headers()).doesNotContainKeys("server", "x-powered-by");
      assertThat(response.body()).doesNotContainIgnoringCase("jetty").doesNotContain("javalin");
    }
  }
}
