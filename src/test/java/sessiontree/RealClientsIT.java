package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.tree;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Widely used clients against the shipped jar: a browser, curl, wscat, and Python's websockets. If
 * one is missing, its test is skipped: see {@link Programs}.
 */
@Timeout(120)
class RealClientsIT {
  private static final int DEADLINE_SECONDS = 30;
  private static final String TREE =
      tree(event("1569972083", "first"), event("1569972084", "second"));

  @TempDir private Path folder;

  private JarServer start(String... flags) throws Exception {
    return JarServer.start(folder.resolve("store"), flags);
  }

  // --- A browser, with a page of another origin.

  @Test
  void browsersPageOfAnotherOrigin_isRefused_untilItsOriginIsAllowed() throws Exception {
    String chromium = Programs.find("chromium", "apt-get install chromium");
    String id = newId();
    try (Page page = new Page()) {
      try (JarServer server = start()) {
        assertThat(page.shownBy(chromium, server, id, "", ""))
            .containsExactly("closed 1006", "fetch failed: TypeError");
        for (String session : List.of(id, id + "-beacon")) {
          assertThat(RawHttp.get(server.port(), "/sessions/" + session).status()).isEqualTo(404);
        }
      }
      try (JarServer server = start("--allowed-origin", page.origin())) {
        assertThat(page.shownBy(chromium, server, id, "", ""))
            .containsExactly(
                "stream OPEN",
                "stream COMPLETE",
                "closed 1000",
                "fetch 200 with ETag",
                "fetched " + TREE);
        String beacon = "/sessions/" + id + "-beacon";
        Await.until(
            "the beacon is stored", () -> RawHttp.get(server.port(), beacon).status() == 200);
      }
    }
  }

  /** Uses one write token that can be a subprotocol, and one that cannot. */
  @Test
  void browsersPageWithTokens_isLetIn_andWithWrongOnesIsNot() throws Exception {
    String chromium = Programs.find("chromium", "apt-get install chromium");
    try (Page page = new Page();
        JarServer server =
            start(
                "--allowed-origin=" + page.origin(),
                "--write-token=w+r/i=te",
                "--write-token=w.r~i-te",
                "--read-token=r+e/a=d")) {
      for (String write : List.of("w+r/i=te", "w.r~i-te")) {
        String id = newId();
        assertThat(page.shownBy(chromium, server, id, "r+e/a=d", write))
            .hasSize(3)
            .startsWith("closed 1006", "fetch 403 without ETag");
        assertThat(page.shownBy(chromium, server, id, write, "r+e/a=d"))
            .containsExactly(
                "stream OPEN",
                "stream COMPLETE",
                "closed 1000",
                "fetch 200 with ETag",
                "fetched " + TREE);
      }
    }
  }

  /** A page on its own port, and so of its own origin. */
  private final class Page implements AutoCloseable {
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpServer http;
    private volatile String html;
    private volatile CountDownLatch done;
    private int browsers;

    Page() throws IOException {
      http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      http.setExecutor(threads);
      http.createContext("/", this::response);
      http.start();
    }

    String origin() {
      return "http://127.0.0.1:" + http.getAddress().getPort();
    }

    private void response(HttpExchange exchange) throws IOException {
      String body = "";
      switch (exchange.getRequestURI().getPath()) {
        case "/page" -> body = html;
        case "/done" -> endWait();
        case "/wait" -> awaitDone();
        default -> {} // the icon of the page
      }
      byte[] bytes = body.getBytes(UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "text/html");
      exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
      exchange.close();
    }

    void endWait() {
      done.countDown();
    }

    void show(String page) {
      done = new CountDownLatch(1);
      html = page;
    }

    private void awaitDone() {
      try {
        // After a timeout, the page shows fewer lines.
        boolean unused = done.await(DEADLINE_SECONDS, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /** Loads the page in a new browser, and returns the lines that its script wrote into it. */
    List<String> shownBy(
        String chromium, JarServer server, String id, String writeToken, String readToken)
        throws Exception {
      show(
          resource("page.html")
              .replace("@SERVER@", "http://127.0.0.1:" + server.port())
              .replace("@ID@", id)
              .replace("@WRITE_TOKEN@", writeToken)
              .replace("@READ_TOKEN@", readToken));
      String dom = Programs.run(folder, browser(chromium, "--dump-dom")).orFail();
      int from = dom.indexOf("<pre id=\"told\">");
      assertThat(from).as("the page: " + dom).isNotNegative();
      String shown = dom.substring(dom.indexOf('>', from) + 1, dom.indexOf("</pre>", from));
      return shown.lines().toList();
    }

    /** Returns the command that opens the page in a new browser. */
    List<String> browser(String chromium, String option) {
      return List.of(
          chromium,
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--disable-dev-shm-usage",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--user-data-dir=" + folder.resolve("browser" + ++browsers),
          option,
          origin() + "/page");
    }

    @Override
    public void close() {
      http.stop(0);
      threads.shutdownNow();
    }
  }

  // --- curl.

  @Test
  void curl_posts_reads_revalidates_andDeletes() throws Exception {
    String curl = Programs.find("curl", "apt-get install curl");
    String id = newId();
    try (JarServer server = start()) {
      String session = server.uri("/sessions/" + id).toString();
      assertThat(curl(curl, "-d", bodyOf(id), session + "/events"))
          .startsWith("{\"session_id\":\"" + id + "\",\"state\":\"complete\"");
      assertThat(curl(curl, "--compressed", session)).isEqualTo(TREE);
      Path etag = folder.resolve("etag");
      curl(curl, "--compressed", "--etag-save", etag.toString(), session);
      assertThat(curl(curl, "-w", "%{http_code}", "--etag-compare", etag.toString(), session))
          .as("another coding has another ETag")
          .endsWith("200");
      assertThat(
              curl(
                  curl,
                  "--compressed",
                  "-w",
                  "%{http_code}",
                  "--etag-compare",
                  etag.toString(),
                  session))
          .isEqualTo("304");
      assertThat(curl(curl, "-w", "%{http_code}", "-X", "DELETE", session)).isEqualTo("204");
      assertThat(curl(curl, "-w", "%{http_code}", session)).endsWith("404");
    }
  }

  private String curl(String curl, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(curl, "-sS", "--noproxy", "*"));
    command.addAll(List.of(arguments));
    return Programs.run(folder, command).orFail();
  }

  private static String bodyOf(String id) {
    return message(
        Entries.start(id),
        event("1569972084", "second"),
        event("1569972083", "first"),
        Entries.end(id));
  }

  // --- wscat.

  /** Sends the messages of the original requirements, including their trailing commas. */
  @Test
  void wscat_typesTheTwoMessages_andGetsComplete() throws Exception {
    String wscat = Programs.find("wscat", "npm install -g wscat");
    String id = "e6fa79ca-d142-4046-a134-5134f16a0b5e";
    try (JarServer server = start()) {
      Process process =
          new ProcessBuilder(
                  wscat, "-c", "ws://127.0.0.1:" + server.port() + "/sessions/" + id + "/stream")
              .redirectErrorStream(true)
              .start();
      try (BufferedReader out = process.inputReader(UTF_8);
          var in = process.outputWriter(UTF_8)) {
        await(out, "{\"type\":\"OPEN\"");
        in.write(
            "[ { \"timestamp\": 1569972082, \"type\": \"SESSION_START\", \"session_id\": \"%s\", }, "
                    .formatted(id)
                + "{ \"timestamp\": 1569972083, \"type\": \"EVENT\", \"name\": \"cart_loaded\" } ]\n");
        in.flush();
        await(out, "{\"type\":\"ACK\",\"messages\":1,\"entries\":2}");
        in.write(
            "[ { \"timestamp\": 1569972090, \"type\": \"SESSION_END\", \"session_id\": \"%s\", } ]\n"
                .formatted(id));
        in.flush();
        await(out, "{\"type\":\"COMPLETE\"");
        assertThat(process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)).as("it ends").isTrue();
      } finally {
        Programs.end(process);
      }
      assertThat(RawHttp.get(server.port(), "/sessions/" + id).body())
          .isEqualTo(tree(event("1569972083", "cart_loaded")));
    }
  }

  private static void await(BufferedReader out, String part) throws IOException {
    StringBuilder read = new StringBuilder();
    for (String line; (line = out.readLine()) != null; ) {
      read.append(line).append('\n');
      if (line.contains(part)) {
        return;
      }
    }
    throw new AssertionError("expected " + part + ", got " + read);
  }

  // --- Python.

  @Test
  void pythonsWebsockets_goesOnWithItsWriterAfterTheConnectionWasDropped() throws Exception {
    String how = "apt-get install python3-websockets";
    Path python = Path.of("/usr/bin/python3"); // Debian's, whatever PATH says
    if (!Files.isExecutable(python)
        || Programs.run(folder, List.of(python.toString(), "-c", "import websockets")).code()
            != 0) {
      throw Programs.missing("Python's websockets", how);
    }
    String id = newId();
    Path script = folder.resolve("stream.py");
    Files.writeString(script, resource("stream.py"));
    try (JarServer server = start()) {
      String url = "ws://127.0.0.1:" + server.port() + "/sessions/" + id + "/stream?writer=python";
      assertThat(
              Programs.run(folder, List.of(python.toString(), script.toString(), url, id))
                  .orFail()
                  .lines())
          .containsExactly("0", "ACK", "True", "COMPLETE", "1000");
      assertThat(RawHttp.get(server.port(), "/sessions/" + id).body()).isEqualTo(TREE);
    }
  }

  private static String resource(String name) throws IOException {
    try (var in = RealClientsIT.class.getResourceAsStream("/clients/" + name)) {
      return new String(in.readAllBytes(), UTF_8);
    }
  }
}
