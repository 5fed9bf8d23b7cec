package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A site that uses the browser client. It serves the module itself, from its own origin, as a site
 * with the npm package does. So its pages load even if no server runs.
 */
final class ClientPage implements AutoCloseable {
  static final Path MODULE = Path.of("src/main/resources/sessiontree/page/sessiontree.js");

  private static final String PAGE =
      """
      <!doctype html>
      <meta charset="utf-8">
      <title>A page that uses the browser client</title>
      <script type="module">
      import {SessionTree} from '/sessiontree.js';
      window.SessionTree = SessionTree;
      window.problems = [];
      window.dropped = 0;
      window.begin = options => window.session = new SessionTree({
        onError: ({code, entries}) => problems.push([code, ...entries.map(entry => entry.name ?? entry.type)].join(' ')),
        onDropped: count => window.dropped += count,
        ...options}).start();
      </script>
      """;

  private final HttpServer http;

  ClientPage() throws IOException {
    http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    http.createContext("/", this::respond);
    http.start();
  }

  String origin() {
    return "http://127.0.0.1:" + http.getAddress().getPort();
  }

  private void respond(HttpExchange exchange) throws IOException {
    boolean isModule = exchange.getRequestURI().getPath().equals("/sessiontree.js");
    byte[] body = isModule ? Files.readAllBytes(MODULE) : PAGE.getBytes(UTF_8);
    exchange
        .getResponseHeaders()
        .set("Content-Type", isModule ? "text/javascript" : "text/html; charset=utf-8");
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  @Override
  public void close() {
    http.stop(0);
  }
}
