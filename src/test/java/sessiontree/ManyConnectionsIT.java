package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many clients at once, each with a session of its own. */
class ManyConnectionsIT {
  private static final int CONNECTIONS = 2_000;
  private static final int MESSAGES = 20;

  /** More than Java's default listen backlog, and within that of any Linux (128 before 5.4). */
  private static final int AT_ONCE = 120;

  private static final int CONNECT_MILLIS = 30_000;

  @TempDir private Path folder;
  private JarServer server;

  private final HttpClient http = HttpClient.newHttpClient();
  private final RawStream[] streams = new RawStream[CONNECTIONS];
  private final Crowd clients = new Crowd(CONNECTIONS);

  @BeforeEach
  void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterEach
  void endAll() throws Exception {
    clients.close();
    for (RawStream stream : streams) {
      if (stream != null) {
        stream.close();
      }
    }
    server.close();
  }

  @Test
  void twoThousandConnectionsAtOnce_allComplete_withTheirOwnTrees() throws Exception {
    clients.each(i -> streams[i] = RawStream.connect(server.port(), id(i)));
    clients.each(
        i -> assertThat(streams[i].next("OPEN").path("session_id").asText()).isEqualTo(id(i)));
    clients.each(i -> streams[i].send(message(start(id(i)))));
    for (int m = 1; m < MESSAGES - 1; m++) {
      int seconds = MESSAGES - m;
      clients.each(i -> streams[i].send(message(event("" + seconds, id(i)))));
    }
    clients.each(i -> streams[i].send(message(end(id(i)))));
    clients.each(
        i -> {
          var complete = streams[i].complete();
          assertThat(complete.path("messages").asInt()).as(id(i)).isEqualTo(MESSAGES);
          assertThat(complete.path("entries").asInt()).as(id(i)).isEqualTo(MESSAGES);
          assertThat(streams[i].closeCode()).as(id(i)).isEqualTo(1000);
        });
    clients.each(i -> assertThat(get(id(i))).isEqualTo(expectedTree(id(i))));
  }

  @Test
  void connectionsThatCome_whileTheServerDoesNothing_areMade() throws Exception {
    Socket[] sockets = new Socket[AT_ONCE];
    try {
      server.suspend();
      for (int i = 0; i < AT_ONCE; i++) {
        sockets[i] = new Socket();
        sockets[i].connect(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()), CONNECT_MILLIS);
      }
      server.resume();
      String request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
      for (Socket socket : sockets) {
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        assertThat(RawHttp.read(socket).status()).isEqualTo(200);
      }
    } finally {
      for (Socket socket : sockets) {
        if (socket != null) {
          socket.close();
        }
      }
    }
  }

  private static String id(int connection) {
    return "session-" + connection;
  }

  private String get(String id) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(server.uri("/sessions/" + id)).build();
    HttpResponse<String> response = http.send(request, BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return response.body();
  }

  private static String expectedTree(String id) {
    String[] children = new String[MESSAGES - 2];
    for (int i = 0; i < children.length; i++) {
      children[i] = event("" + (i + 2), id);
    }
    return tree(children);
  }
}
