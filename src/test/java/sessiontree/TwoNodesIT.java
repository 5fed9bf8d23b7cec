package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two servers without local data, on one PostgreSQL with two standbys. Changes made at one server
 * are seen at the other. Whichever process dies or hangs, what was acknowledged is stored, once.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class TwoNodesIT {
  private static final int ROUNDS = Integer.getInteger("sessiontree.rounds", 6);
  private static final int WRITERS = 8;
  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static PostgresServers servers;

  @TempDir private Path folder;

  private final List<JarServer> nodes = new CopyOnWriteArrayList<>();
  private final List<Writer> writers = new ArrayList<>();
  private final ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
  private String uri;
  private int proxyPort; // used instead of the nodes' ports unless 0

  @BeforeAll
  static void startServers() throws Exception {
    servers = PostgresServers.start(2);
  }

  @AfterAll
  static void stopServers() throws Exception {
    servers.close();
  }

  @BeforeEach
  void startNodes() throws Exception {
    uri = servers.database("nodes");
    nodes.add(startNode());
    nodes.add(startNode());
  }

  @AfterEach
  void stopNodes() throws Exception {
    writers.forEach(writer -> writer.ending = true);
    for (JarServer node : nodes) {
      node.close();
    }
  }

  private JarServer startNode() throws Exception {
    return JarServer.of(folder.resolve("store")).onlyFlags("--port", "0", "--store", uri).start();
  }

  @Test
  @Order(1)
  void sessionOfOneNode_isGoneOnWith_seen_andDeletedAtTheOther() throws Exception {
    JarServer a = nodes.get(0);
    JarServer b = nodes.get(1);
    assertThat(post(a, "s", message(start("s"), event("3", "x"))).status()).isEqualTo(200);
    LiveClient live = LiveClient.watch(b, "s");
    live.await(2);
    try (StreamClient stream = StreamClient.connect(b.port(), "s")) {
      assertThat(stream.next().path("entries").asInt()).isEqualTo(2);
      assertThat(post(a, "s", message(event("2", "y"))).status()).isEqualTo(200);
      live.await(3);
      assertThat(post(b, "s", message(event("1", "z"))).status()).isEqualTo(200);
      live.await(4);
      assertThat(post(a, "s", message(start("s"), event("4", "v"), end("s"))).body())
          .contains("\"complete\"", "\"entries\":6");
      assertThat(stream.next().path("type").asText()).isEqualTo("COMPLETE");
    }
    assertThat(live.awaitEnd()).last().extracting(LiveClient.Event::name).isEqualTo("complete");
    for (JarServer node : nodes) {
      assertThat(names(get(node, "s").body())).containsExactly("z", "y", "x", "v");
    }
    assertThat(get(a, "s").headers().get("etag")).isEqualTo(get(b, "s").headers().get("etag"));
    assertThat(HttpResult.send(a, "DELETE", "/sessions/s").status()).isEqualTo(204);
    assertThat(get(b, "s").status()).isEqualTo(404);
  }

  @Test
  @Order(2)
  void streamAtOneNode_isNotifiedOfADeletionAtTheOther() throws Exception {
    assertThat(post(nodes.get(0), "s", message(start("s"))).status()).isEqualTo(200);
    try (StreamClient stream = StreamClient.connect(nodes.get(1).port(), "s")) {
      stream.next();
      assertThat(HttpResult.send(nodes.get(0), "DELETE", "/sessions/s").status()).isEqualTo(204);
      assertThat(stream.next().path("code").asText()).isEqualTo("session_deleted");
    }
    assertThat(post(nodes.get(1), "s", message(start("s"))).status()).isEqualTo(200);
    assertThat(post(nodes.get(0), "s", message(event("1", "new"), end("s"))).status())
        .isEqualTo(200);
    assertThat(names(get(nodes.get(1), "s").body())).containsExactly("new");
  }

  @Test
  @Order(2)
  void endOfASessionWithMissingEntries_isRefused_andReportedAtTheOtherNode() throws Exception {
    assertThat(post(nodes.get(0), "s", message(start("s"), event("1", "x"))).status())
        .isEqualTo(200);
    try (StreamClient stream = StreamClient.connect(nodes.get(1).port(), "s")) {
      stream.next();
      servers.sql(servers.primary(), "nodes", "DELETE FROM sessiontree.entry");
      HttpResult ended = post(nodes.get(0), "s", message(end("s")));
      assertThat(ended.status()).isEqualTo(503);
      assertThat(ended.body()).contains("the session has its SESSION_END", "damaged");
      assertThat(stream.closeCode()).isEqualTo(1011);
    }
    assertThat(HttpResult.send(nodes.get(1), "DELETE", "/sessions/s").status()).isEqualTo(204);
    assertThat(post(nodes.get(0), "s", message(start("s"), end("s"))).status()).isEqualTo(200);
  }

  @Test
  @Order(3)
  void nodesAreKilled_underWriters_andNothingIsLostOrDoubled() throws Exception {
    write(true);
    for (int round = 0; round < ROUNDS; round++) {
      awaitProgress();
      nodes.get(round % 2).kill();
      awaitProgress(); // at the other node
      nodes.set(round % 2, startNode());
    }
    checkAll();
  }

  @Test
  @Order(4)
  void frozenNode_harmsNothing_andGoesOn() throws Exception {
    write(false);
    awaitProgress();
    nodes.get(0).suspend();
    awaitProgress();
    awaitProgress();
    nodes.get(0).resume();
    awaitProgress();
    checkAll();
    assertThat(HttpResult.send(nodes.get(0), "GET", "/health").status()).isEqualTo(200);
  }

  @Test
  @Order(5)
  void largeSession_whoseNodeIsKilledWhenItEnds_isFinishedByTheOther() throws Exception {
    int events = 60_000;
    JarServer a = nodes.get(0);
    assertThat(post(a, "large", message(start("large"))).status()).isEqualTo(200);
    try (StreamClient stream = StreamClient.connect(a.port(), "large")) {
      for (int from = 0; from < events; from += 2_000) {
        stream.send(
            message(
                IntStream.range(from, from + 2_000)
                    .mapToObj(i -> event("" + (events - i), "n" + i + "-" + "x".repeat(200)))
                    .toArray(String[]::new)));
      }
      Await.until(
          "all is stored",
          () -> HttpResult.send(a, "GET", "/sessions?limit=1").body().contains(":" + (events + 1)));
      stream.send(message(end("large")));
      Await.until(
          "it has ended",
          () -> servers.sql(0, "nodes", "SELECT max(phase) FROM sessiontree.session").equals("2"));
      a.kill();
    }
    Await.until("it is complete", () -> get(nodes.get(1), "large").status() == 200);
    List<String> names = names(get(nodes.get(1), "large").body());
    assertThat(names).hasSize(events);
    assertThat(names.get(0)).startsWith("n" + (events - 1) + "-");
    Await.until(
        "its entries are gone",
        () -> servers.sql(0, "nodes", "SELECT count(*) FROM sessiontree.entry").equals("0"));
  }

  @Test
  @Order(6)
  void standbysHang_andNothingIsAcknowledged_untilTheyGoOn() throws Exception {
    JarServer node = nodes.get(0);
    assertThat(post(node, "s", message(start("s"))).status()).isEqualTo(200);
    servers.suspend(1);
    servers.suspend(2);
    try {
      HttpResult response = post(node, "s?writer=w&message=1", message(event("1", "x")));
      assertThat(response.status()).as(response.body()).isEqualTo(503);
      assertThat(response.body()).contains("not known");
      assertThat(HttpResult.send(node, "GET", "/health").status()).isEqualTo(503);
      HttpResult other = post(node, "other", message(start("other")));
      assertThat(other.status()).as(other.body()).isEqualTo(503);
      try (StreamClient stream = StreamClient.connect(nodes.get(1).port(), "s")) {
        stream.send(message(event("2", "y")));
        assertThat(nodes.get(1).terminate()).as("it does not wait for ever").isZero();
      }
    } finally {
      servers.resume(1);
      servers.resume(2);
    }
    nodes.set(1, startNode());
    Await.until("healthy", () -> HttpResult.send(node, "GET", "/health").status() == 200);
    assertThat(post(node, "s?writer=w&message=1", message(event("1", "x"))).body())
        .contains("\"entries\":2");
    assertThat(post(node, "s", message(end("s"))).status()).isEqualTo(200);
    assertThat(names(get(nodes.get(1), "s").body())).containsExactly("x");
  }

  @Test
  @Order(7)
  void nodeThatIsAskedToEnd_leavesItsClientsToTheOther_behindNginx() throws Exception {
    String program = Programs.find("nginx", "apt-get install nginx");
    try (ServerSocket free = new ServerSocket(0)) {
      proxyPort = free.getLocalPort();
    }
    Process nginx = startNginx(program);
    try {
      write(true);
      awaitProgress();
      assertThat(nodes.get(0).terminate()).isZero();
      awaitProgress();
      nodes.remove(0);
      nodes.add(startNode());
      checkAll();
    } finally {
      Programs.end(nginx);
    }
  }

  /** Starts nginx by the configuration that the manual links to, with two servers and no TLS. */
  private Process startNginx(String program) throws Exception {
    StringBuilder http = new StringBuilder("http {\n");
    for (String of : List.of("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) {
      http.append(of).append("_temp_path ").append(folder.resolve(of)).append(";\n");
    }
    Path file = folder.resolve("nginx.conf");
    String servers = "least_conn;\n";
    for (JarServer node : nodes) {
      servers += "server 127.0.0.1:" + node.port() + ";\n";
    }
    Files.writeString(
        file,
        Files.readString(Path.of("src/main/scripts/nginx.conf"))
            .replace("http {", http)
            .replace("listen 443 ssl", "listen 127.0.0.1:" + proxyPort)
            .replaceAll("ssl_certificate.*\n", "")
            .replace("server 127.0.0.1:8080;", servers)
            .replace("/var/log/nginx", folder.toString()));
    String error = folder.resolve("start.log").toString();
    String options = "daemon off; master_process off; pid nginx.pid;";
    Process nginx =
        new ProcessBuilder(program, "-e", error, "-p", folder + "", "-c", file + "", "-g", options)
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("nginx.out").toFile())
            .start();
    Await.until("nginx listens", () -> listens(proxyPort));
    return nginx;
  }

  @Test
  @Order(8)
  void primaryIsKilled_aStandbyPromoted_andNothingIsLostOrDoubled() throws Exception {
    write(true);
    awaitProgress();
    servers.kill(servers.primary());
    servers.promote();
    awaitProgress();
    checkAll();
  }

  private static boolean listens(int port) {
    try (Socket unused = new Socket("127.0.0.1", port)) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  // --- Writers, which continue at whichever node accepts their messages

  private void write(boolean streaming) {
    for (int i = 0; i < WRITERS; i++) {
      writers.add(new Writer("s" + i / 2, "w" + i, i, streaming && i % 4 < 2));
    }
    writers.forEach(writer -> writer.thread.start());
  }

  /** Waits until more messages of each writer have been acknowledged. */
  private void awaitProgress() throws Exception {
    List<Integer> before = writers.stream().map(writer -> writer.acknowledged).toList();
    Await.until(
        "writers go on",
        () ->
            !failures.isEmpty()
                || IntStream.range(0, WRITERS)
                    .allMatch(i -> writers.get(i).acknowledged > before.get(i) + 3));
    assertThat(failures).isEmpty();
  }

  private void checkAll() throws Exception {
    for (Writer writer : writers) {
      writer.ending = true;
      writer.thread.join(TimeUnit.MINUTES.toMillis(1));
    }
    assertThat(failures).isEmpty();
    for (int i = 0; i < WRITERS; i += 2) {
      String id = "s" + i / 2;
      Await.until("it ends", () -> postAnywhere(id, "?writer=end&message=1", message(end(id))));
      JarServer node = nodes.get(i / 2 % 2);
      Await.until("it is read", () -> get(node, id).status() == 200); // 503 soon after a failover
      List<String> names = names(get(node, id).body());
      Set<String> once = new HashSet<>(names);
      assertThat(names).as("of %s, each once", id).hasSize(once.size());
      for (Writer writer : writers.subList(i, i + 2)) {
        for (int number = 1; number <= writer.acknowledged; number++) {
          assertThat(once.remove(writer.name + "-" + number)).as(writer.name + number).isTrue();
        }
      }
      assertThat(once).as("of %s, not acknowledged", id).isEmpty();
    }
  }

  private boolean postAnywhere(String id, String query, String message) {
    for (JarServer node : nodes) {
      try {
        if (post(node, id + query, message).status() == 200) {
          return true;
        }
      } catch (IOException | InterruptedException e) {
        continue;
      }
    }
    return false;
  }

  /** A thread that posts or streams as one writer. On failure it resumes at the other node. */
  private final class Writer implements Runnable {
    private final String session;
    private final String name;
    private final Thread thread = new Thread(this, "writer");
    private final boolean streams;
    private volatile int acknowledged;
    private volatile boolean ending;
    private int node;

    Writer(String session, String name, int number, boolean streams) {
      this.streams = streams;
      this.session = session;
      this.name = name;
      this.node = number / 2;
      thread.setDaemon(true);
    }

    @Override
    public void run() {
      try {
        while (!ending) {
          int at = proxyPort == 0 ? nodes.get(node++ % 2).port() : proxyPort;
          try {
            if (streams) {
              stream(at);
            } else {
              post(at);
            }
          } catch (IOException e) {
            TimeUnit.MILLISECONDS.sleep(50); // killed or suspended
          }
        }
      } catch (Throwable e) {
        failures.add(e);
      }
    }

    private String message(int number) {
      return Entries.message(start(session), event("" + number % 7, name + "-" + number));
    }

    private void post(int at) throws IOException, InterruptedException {
      while (!ending) {
        int number = acknowledged + 1;
        String path = session + "?writer=" + name + "&message=" + number;
        HttpResponse<String> response = send(at, path, message(number));
        if (response.statusCode() >= 502) { // 502 and 504 come from a proxy
          TimeUnit.MILLISECONDS.sleep(100);
          return;
        }
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        acknowledged = number;
      }
    }

    /** Posts a message. The caller repeats it after a timeout; its number makes that harmless. */
    private HttpResponse<String> send(int at, String path, String body)
        throws IOException, InterruptedException {
      int query = path.indexOf('?');
      String url = "/sessions/" + path.substring(0, query) + "/events" + path.substring(query);
      return HTTP.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + at + url))
              .timeout(Duration.ofSeconds(4))
              .POST(BodyPublishers.ofString(body))
              .build(),
          BodyHandlers.ofString());
    }

    private void stream(int at) throws IOException, InterruptedException {
      try (StreamClient stream = StreamClient.connect(at, session, name)) {
        int stored = stream.next("OPEN").path("messages").asInt();
        assertThat(stored).as("stored of " + name).isGreaterThanOrEqualTo(acknowledged);
        acknowledged = stored;
        while (!ending) {
          stream.send(message(acknowledged + 1));
          JsonNode said = stream.next();
          if (!said.path("type").asText().equals("ACK")) {
            assertThat(said.path("code").asText()).isEqualTo("storage_unavailable");
            TimeUnit.MILLISECONDS.sleep(100);
            return;
          }
          acknowledged++;
        }
      }
    }
  }

  private static HttpResult post(JarServer node, String session, String body)
      throws IOException, InterruptedException {
    int query = session.indexOf('?');
    String id = query < 0 ? session : session.substring(0, query);
    String rest = query < 0 ? "" : session.substring(query);
    return HttpResult.post(node, "/sessions/" + id + "/events" + rest, body);
  }

  private static HttpResult get(JarServer node, String session)
      throws IOException, InterruptedException {
    return HttpResult.send(node, "GET", "/sessions/" + session);
  }

  private static List<String> names(String tree) throws IOException {
    List<String> names = new ArrayList<>();
    JSON.readTree(tree).path("children").forEach(child -> names.add(child.path("name").asText()));
    return names;
  }
}
