package sessiontree;

import static sessiontree.Entries.bound;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import sessiontree.Operation.Outcome;

/** Requests that provoke the documented outcomes of each operation of the OpenAPI document. */
final class OperationCases {
  private static final int MAX_MESSAGE_BYTES = 40_000;
  private static final String ELSEWHERE = "http://elsewhere.example";
  private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** A documented outcome, and a request that provokes it. */
  record Case(Outcome outcome, String how, Callable<HttpResult> provoke) {
    @Override
    public String toString() {
      return outcome + ", " + how;
    }
  }

  private final List<Case> cases = new ArrayList<>();
  private final JarServers servers;

  private OperationCases(JarServers servers) {
    this.servers = servers;
  }

  static List<Case> of(List<Operation> operations, JarServers servers) {
    OperationCases table = new OperationCases(servers);
    table.addOwn();
    operations.forEach(table::addCommon);
    return table.cases;
  }

  /** Returns the documented outcomes that no case provokes, each with the reason. */
  static Map<Outcome, String> notProvoked(List<Operation> operations) {
    Map<Outcome, String> reasons = new LinkedHashMap<>();
    for (Operation operation : operations) {
      reasons.put(new Outcome(operation.id(), 500, "internal"), "no request is known to do it");
    }
    String disk = "it takes a disk that fails: LocalStoreFaultTest has one";
    reasons.put(new Outcome("listSessions", 503, "storage_unavailable"), disk);
    reasons.put(new Outcome("deleteSession", 503, "storage_unavailable"), disk);
    reasons.put(new Outcome("watchSession", 503, "storage_unavailable"), disk);
    String writers = "it takes 10,000 writers: HttpIT has them";
    reasons.put(new Outcome("postEvents", 409, "too_many_writers"), writers);
    String connections = "it takes all connections of the server";
    reasons.put(new Outcome("openStream", 503, "too_many_connections"), connections);
    return reasons;
  }

  // Servers

  private JarServer server() throws Exception {
    return servers.get(
        "plain", "--max-message-bytes=" + MAX_MESSAGE_BYTES, "--inflow-bytes=" + (64 << 10));
  }

  private JarServer guarded() throws Exception {
    return servers.get("guarded", "--write-token=writing", "--read-token=reading");
  }

  private JarServer full() throws Exception {
    return servers.get("full", "--max-open-sessions=1");
  }

  // Cases

  private void add(String operation, int status, String code, String how, Callable<HttpResult> c) {
    cases.add(new Case(new Outcome(operation, status, code), how, c));
  }

  private void addOwn() {
    addPostEvents();
    for (String method : List.of("GET", "HEAD")) {
      addRead(method.equals("GET") ? "getSession" : "headSession", method);
      String health = method.equals("GET") ? "getHealth" : "headHealth";
      add(health, 200, "", "a server that is well", () -> send(method, "/health"));
      add(health, 503, "", "a tree that cannot be written", () -> unwell(method));
    }
    addWatch();
    addDeleteAndList();
    addStream();
    add("getMetrics", 200, "", "any", () -> send("GET", "/metrics"));
    String openMetrics = "application/openmetrics-text";
    add("getMetrics", 200, "", openMetrics, () -> send("GET", "/metrics", "Accept", openMetrics));
    add("getOpenApi", 200, "", "any", () -> send("GET", "/openapi.json"));
    add("getAsyncApi", 200, "", "any", () -> send("GET", "/asyncapi.json"));
    addAsset("getPage", "/");
    addAsset("getClient", "/sessiontree.js");
    addAsset("getClientTypes", "/sessiontree.d.ts");
  }

  private void addAsset(String op, String path) {
    add(op, 200, "", "plain", () -> send("GET", path));
    add(op, 200, "", "gzip", () -> send("GET", path, "Accept-Encoding", "gzip"));
    add(op, 304, "", "any ETag", () -> send("GET", path, "If-None-Match", "*"));
  }

  /** Adds the outcomes that many operations have in common. */
  private void addCommon(Operation operation) {
    String id = operation.id();
    if (operation.hasSession()) {
      add(id, 400, "invalid_session_id", "id !", () -> any(server(), operation, "%21"));
      add(
          id,
          400,
          "invalid_parameter",
          "a twice",
          () -> withQuery("?a&a", server(), operation, newId()));
    }
    if (operation.needsToken()) {
      add(id, 401, "unauthorized", "no token", () -> any(guarded(), operation, newId()));
      add(
          id,
          401,
          "unauthorized",
          "an unknown token",
          () -> any(guarded(), operation, newId(), "Authorization", "Bearer unknown"));
      String other = operation.writes() ? "reading" : "writing";
      add(
          id,
          403,
          "forbidden",
          "the token for " + other,
          () -> any(guarded(), operation, newId(), "Authorization", "Bearer " + other));
    }
    add(id, 403, "host_not_allowed", "another name", () -> byAnotherName(operation));
    for (String origin : List.of(ELSEWHERE, "null")) {
      add(
          id,
          403,
          "origin_not_allowed",
          "origin " + origin,
          () -> any(server(), operation, newId(), "Origin", origin));
    }
  }

  private void addPostEvents() {
    String op = "postEvents";
    add(op, 200, "", "the session is open", () -> post(newId(), "", id -> message(start(id))));
    add(op, 200, "", "it is complete", () -> post(newId(), "", id -> message(start(id), end(id))));
    add(
        op,
        200,
        "",
        "numbered",
        () -> post(newId(), "?writer=w&message=1", id -> "[" + start(id) + ",]"));
    Map<String, Body> refused = new LinkedHashMap<>();
    refused.put("invalid_json", id -> "[");
    refused.put("invalid_message", id -> "{}");
    refused.put("invalid_entry", id -> message(event("-1", "a")));
    refused.put("session_already_started", id -> message(bound("SESSION_START", "1", id)));
    refused.put("session_id_mismatch", id -> message(end("another")));
    refused.put("entry_after_end", id -> message(end(id), event("1", "a")));
    refused.forEach(
        (code, body) -> add(op, 400, code, "to an open session", () -> post(open(), "", body)));
    add(
        op,
        400,
        "session_not_started",
        "an event first",
        () -> post(newId(), "", id -> message(event("1", "a"))));
    add(
        op,
        400,
        "invalid_parameter",
        "no message",
        () -> post(newId(), "?writer=w", id -> message(start(id))));
    add(
        op,
        400,
        "invalid_parameter",
        "no writer",
        () -> post(newId(), "?message=1", id -> message(start(id))));
    add(
        op,
        400,
        "invalid_parameter",
        "message 0",
        () -> post(newId(), "?writer=w&message=0", id -> message(start(id))));
    add(
        op,
        409,
        "session_complete",
        "after the end",
        () -> post(complete(), "", id -> message(event("1", "a"))));
    add(
        op,
        409,
        "message_out_of_order",
        "2 before 1",
        () -> post(open(), "?writer=w&message=2", id -> message(event("1", "a"))));
    add(
        op,
        413,
        "message_too_big",
        "a byte more",
        () -> post(newId(), "", id -> " ".repeat(MAX_MESSAGE_BYTES + 1)));
    add(op, 408, "request_timeout", "a body that does not come", this::withoutItsBody);
    add(op, 415, "unsupported_encoding", "brotli", this::inBrotli);
    add(op, 503, "storage_unavailable", "no room for the tree", this::withoutRoomForTheTree);
    add(op, 503, "too_many_sessions", "a second one", this::secondSession);
  }

  private void addRead(String op, String method) {
    add(op, 200, "", "plain", () -> send(method, "/sessions/" + complete()));
    add(
        op,
        200,
        "",
        "gzip",
        () -> send(method, "/sessions/" + complete(), "Accept-Encoding", "gzip"));
    add(op, 304, "", "its own ETag", () -> again(method, complete()));
    add(
        op,
        304,
        "",
        "any ETag",
        () -> send(method, "/sessions/" + complete(), "If-None-Match", "*"));
    add(
        op,
        412,
        "precondition_failed",
        "another tag",
        () -> send(method, "/sessions/" + complete(), "If-Match", "\"other\""));
    add(
        op,
        400,
        "invalid_parameter",
        "?partial=yes",
        () -> send(method, "/sessions/" + open() + "?partial=yes"));
    add(op, 404, "session_not_found", "a new session", () -> send(method, "/sessions/" + newId()));
    add(op, 409, "session_in_progress", "an open one", () -> send(method, "/sessions/" + open()));
    add(
        op,
        409,
        "session_in_progress",
        "after a second",
        () -> send(method, "/sessions/" + open(), "Prefer", "wait=1"));
    add(op, 503, "storage_unavailable", "a tree that is cut off", () -> cutOff(method));
  }

  private void addWatch() {
    String op = "watchSession";
    add(op, 200, "", "complete", () -> send("GET", "/sessions/" + complete() + "/live"));
    add(op, 204, "", "seen", () -> send("GET", live(), "Last-Event-ID", "0"));
    add(
        op,
        404,
        "session_not_found",
        "a new session",
        () -> send("GET", "/sessions/" + newId() + "/live"));
  }

  /** Returns the path on which a complete session without events is watched. */
  private String live() throws Exception {
    return "/sessions/" + stored(newId(), id -> message(start(id), end(id))) + "/live";
  }

  private void addDeleteAndList() {
    String op = "deleteSession";
    add(op, 204, "", "a complete session", () -> send("DELETE", "/sessions/" + complete()));
    add(op, 204, "", "an open session", () -> send("DELETE", "/sessions/" + open()));
    add(
        op,
        404,
        "session_not_found",
        "a new session",
        () -> send("DELETE", "/sessions/" + newId()));
    add(op, 404, "session_not_found", "a second time", this::deletedTwice);
    add(
        op,
        412,
        "precondition_failed",
        "another tag",
        () -> send("DELETE", "/sessions/" + complete(), "If-Match", "\"other\""));
    op = "listSessions";
    for (String query : List.of("?limit=1000", "?state=open", "?state=complete")) {
      add(op, 200, "", query, () -> list(query));
    }
    add(op, 200, "", "a second page", this::secondPage);
    for (String query :
        List.of(
            "?limit=0",
            "?limit=1001",
            "?limit=x",
            "?limit=1&limit=1",
            "?state=new",
            "?cursor=%21")) {
      add(op, 400, "invalid_parameter", query, () -> send("GET", "/sessions" + query));
    }
  }

  private void addStream() {
    String op = "openStream";
    add(op, 101, "", "an upgrade", () -> upgrade(server(), "/sessions/" + newId() + "/stream"));
    add(
        op,
        400,
        "invalid_parameter",
        "writer ..",
        () -> upgrade(server(), "/sessions/" + newId() + "/stream?writer=.."));
    add(
        op,
        426,
        "upgrade_required",
        "no upgrade",
        () -> send("GET", "/sessions/" + newId() + "/stream"));
  }

  // Requests

  private interface Body {
    String of(String id);
  }

  private HttpResult send(String method, String path, String... headers) throws Exception {
    return HttpResult.send(server(), method, path, headers);
  }

  private HttpResult post(String id, String query, Body body) throws Exception {
    return HttpResult.post(server(), "/sessions/" + id + "/events" + query, body.of(id));
  }

  private static HttpResult upgrade(JarServer server, String path, String... headers)
      throws IOException {
    StringBuilder lines = new StringBuilder(RawHttp.UPGRADE);
    for (int i = 0; i < headers.length; i += 2) {
      lines.append(headers[i]).append(": ").append(headers[i + 1]).append("\r\n");
    }
    return HttpResult.of(RawHttp.send(server.port(), "GET " + path, lines.toString(), ""));
  }

  /** Sends a request that is valid for the operation if {@code id} and {@code headers} are. */
  private static HttpResult any(JarServer server, Operation operation, String id, String... headers)
      throws Exception {
    return withQuery("", server, operation, id, headers);
  }

  private static HttpResult withQuery(
      String query, JarServer server, Operation operation, String id, String... headers)
      throws Exception {
    String path = operation.pathOf(id) + query;
    if (path.contains("/stream")) {
      return upgrade(server, path, headers);
    }
    return operation.method().equals("POST")
        ? HttpResult.post(server, path, message(start(id)), headers)
        : HttpResult.send(server, operation.method(), path, headers);
  }

  private HttpResult byAnotherName(Operation operation) throws Exception {
    String head = "%s %s HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n";
    String request = head.formatted(operation.method(), operation.pathOf(newId()));
    return HttpResult.of(RawHttp.exchange(server().port(), request));
  }

  private String open() throws Exception {
    return stored(newId(), id -> message(start(id)));
  }

  private String complete() throws Exception {
    return stored(newId(), id -> message(start(id), event("1569972083", "cart_loaded"), end(id)));
  }

  private String stored(String id, Body body) throws Exception {
    HttpResult response = post(id, "", body);
    if (response.status() != 200) {
      throw new AssertionError("POST was not accepted: " + response);
    }
    return id;
  }

  private HttpResult again(String method, String id) throws Exception {
    String tag = send("GET", "/sessions/" + id).headers().getOrDefault("etag", "none");
    return send(method, "/sessions/" + id, "If-None-Match", tag);
  }

  private HttpResult deletedTwice() throws Exception {
    String path = "/sessions/" + complete();
    send("DELETE", path);
    return send("DELETE", path);
  }

  private HttpResult list(String query) throws Exception {
    open();
    complete();
    return send("GET", "/sessions" + query);
  }

  private HttpResult secondPage() throws Exception {
    JsonNode first = ApiDocument.JSON.readTree(list("?limit=1").body());
    return send("GET", "/sessions?limit=1&cursor=" + first.path("next").asText());
  }

  // Failures

  /** Sends one byte of a body of nine, to a server with a short request timeout. */
  private HttpResult withoutItsBody() throws Exception {
    JarServer hasty = servers.get("hasty", "--request-timeout=1s");
    String head =
        "POST /sessions/%s/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n["
            .formatted(newId());
    return HttpResult.of(RawHttp.exchange(hasty.port(), head));
  }

  private HttpResult inBrotli() throws Exception {
    String path = "POST /sessions/" + newId() + "/events";
    return HttpResult.of(RawHttp.send(server().port(), path, "Content-Encoding: br\r\n", "x"));
  }

  /** Ends a session while {@link #unwell} keeps its tree from being written. */
  private HttpResult withoutRoomForTheTree() throws Exception {
    unwell("GET");
    return HttpResult.post(
        servers.get("unwell"), "/sessions/t/events", message(start("t"), end("t")));
  }

  private HttpResult secondSession() throws Exception {
    HttpResult response = null;
    for (String id : List.of("first", "second")) {
      response = HttpResult.post(full(), "/sessions/" + id + "/events", message(start(id)));
    }
    return response;
  }

  /** Requests a truncated tree. Uses its own server, so that no list has to deal with the tree. */
  private HttpResult cutOff(String method) throws Exception {
    JarServer server = servers.get("damaged");
    String id = newId();
    HttpResult.post(server, "/sessions/" + id + "/events", message(start(id), end(id)));
    try (Stream<Path> files = Files.walk(servers.store("damaged"))) {
      Path tree = files.filter(file -> file.endsWith(id + ".json")).findFirst().orElseThrow();
      byte[] bytes = Files.readAllBytes(tree);
      Files.write(tree, Arrays.copyOf(bytes, bytes.length - 1));
    }
    return HttpResult.send(server, method, "/sessions/" + id);
  }

  /** Requests the health of a server whose folder of trees has been replaced by a file. */
  private HttpResult unwell(String method) throws Exception {
    JarServer server = servers.get("unwell");
    Path trees = servers.store("unwell").resolve("sessions");
    if (Files.isDirectory(trees)) {
      try (StreamClient client = StreamClient.connect(server.port(), "s")) {
        client.next("OPEN");
        Files.delete(trees);
        Files.writeString(trees, "in the way");
        client.send(message(start("s"), end("s")));
        await(
            () -> HttpResult.send(server, "GET", "/health"), response -> response.status() == 503);
      }
    }
    return HttpResult.send(server, method, "/health");
  }

  private static HttpResult await(Callable<HttpResult> ask, Predicate<HttpResult> until)
      throws Exception {
    long deadline = System.nanoTime() + DEADLINE_NANOS;
    HttpResult response = ask.call();
    while (!until.test(response) && System.nanoTime() < deadline) {
      response = ask.call();
    }
    return response;
  }
}
