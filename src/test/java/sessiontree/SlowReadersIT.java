package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many clients that request much and read nothing. When the server drops them does not matter here:
 * if serving them did harm, the harm would be permanent.
 */
class SlowReadersIT {
  private static final int CLIENTS = 800;

  /** Requests of a client. Responses of 60 KB each exceed what TCP buffers for a connection. */
  private static final int REQUESTS = 100;

  private static final int SESSIONS = 60;
  private static final int LISTED = 600;
  private static final int LISTERS = 150;
  private static final int WATCHERS = 100;
  private static final int DEAF = 20;
  private static final int EVENTS = 60; // of each session

  @TempDir private Path folder;
  private final List<Socket> deaf = new ArrayList<>();
  private final Random random = new Random(1);

  @AfterEach
  void closeAll() throws IOException {
    for (Socket socket : deaf) {
      socket.close();
    }
  }

  /** Sends requests, and reads no response. */
  private void ask(JarServer server, String path, String headers) throws IOException {
    Socket socket = new Socket();
    socket.setReceiveBufferSize(4 << 10);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
    deaf.add(socket);
    String request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
    socket.getOutputStream().write(request.repeat(REQUESTS).getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void treesThatNobodyTakes_takeNoMoreMemoryThanThereIs() throws Exception {
    try (JarServer server = JarServer.of(folder.resolve("store")).java("-Xmx64m").start()) {
      List<String> trees = new ArrayList<>();
      for (int i = 0; i < SESSIONS; i++) {
        trees.add(store(server, "s" + i));
      }
      for (int i = 0; i < CLIENTS; i++) {
        String coding = i % 2 == 0 ? "" : "Accept-Encoding: gzip\r\n";
        ask(server, "/sessions/s" + i % SESSIONS, coding);
      }
      Await.until("all are served", () -> Scrape.of(server).own("connections") > CLIENTS);
      store(server, "another");

      closeAll();
      for (int i = 0; i < SESSIONS; i++) {
        assertThat(RawHttp.get(server.port(), "/sessions/s" + i).body()).isEqualTo(trees.get(i));
      }
    }
  }

  /** Stores a session that does not compress well, and returns its tree. */
  private String store(JarServer server, String id) throws IOException {
    String[] events = new String[EVENTS];
    for (int i = 0; i < EVENTS; i++) {
      byte[] name = new byte[480];
      random.nextBytes(name);
      events[i] = event("" + i, HexFormat.of().formatHex(name));
    }
    String entries = start(id) + "," + String.join(",", events) + "," + end(id);
    RawHttp stored = RawHttp.post(server.port(), "/sessions/" + id + "/events", message(entries));
    assertThat(stored.status()).as(stored.body()).isEqualTo(200);
    return tree(events);
  }

  /** A list is built for each client, and is large. */
  @Test
  void listsThatNobodyTakes_takeNoMoreMemoryThanThereIs() throws Exception {
    try (JarServer server = JarServer.of(folder.resolve("store")).java("-Xmx64m").start()) {
      for (int i = 0; i < LISTED; i++) {
        String id = "%0128d".formatted(i);
        RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id)));
      }
      for (int i = 0; i < LISTERS; i++) {
        ask(server, "/sessions?limit=1000", "");
      }
      Await.until(
          "clients that read nothing are cut off",
          () -> Scrape.of(server).own("connections_dropped_total{reason=\"slow_reader\"}") > 0);
      store(server, "another");
      assertThat(RawHttp.get(server.port(), "/sessions?limit=1000").body()).contains("another");
    }
  }

  /** All watchers of a session are sent the same bytes, which are in memory once. */
  @Test
  void largeEventsThatWatchersDoNotTake_takeNoMoreMemoryThanThereIs() throws Exception {
    try (JarServer server = JarServer.of(folder.resolve("store")).java("-Xmx64m").start()) {
      RawHttp.post(server.port(), "/sessions/s/events", message(start("s")));
      for (int i = 0; i < WATCHERS; i++) {
        ask(server, "/sessions/s/live", "");
      }
      Await.until("all watch", () -> Scrape.of(server).own("watchers") == WATCHERS);
      for (int i = 0; i < 5; i++) {
        String large = message(event("" + i, "x".repeat(1_000_000)));
        assertThat(RawHttp.post(server.port(), "/sessions/s/events", large).status())
            .isEqualTo(200);
      }
      Await.until("watchers are cut off", () -> Scrape.of(server).own("watchers") == 0);
      store(server, "another");
    }
  }

  @Test
  void watcherThatReads_isNotCutOffForThoseThatDoNot() throws Exception {
    try (JarServer server = JarServer.of(folder.resolve("store")).java("-Xmx64m").start()) {
      RawHttp.post(server.port(), "/sessions/read/events", message(start("read")));
      LiveClient reader = LiveClient.watch(server, "read");
      for (int i = 0; i < DEAF; i++) {
        RawHttp.post(server.port(), "/sessions/" + i + "/events", message(start("" + i)));
        ask(server, "/sessions/" + i + "/live", "");
      }
      Await.until("all watch", () -> Scrape.of(server).own("watchers") == DEAF + 1);
      String large = message(event("1", "x".repeat(1_000_000)));
      int sent = 0;
      while (Scrape.of(server).own("watchers") > DEAF / 2) {
        RawHttp.post(server.port(), "/sessions/" + sent % DEAF + "/events", large);
        RawHttp.post(server.port(), "/sessions/read/events", message(event("" + sent, "x")));
        sent++;
      }
      RawHttp.post(server.port(), "/sessions/read/events", message(end("read")));
      assertThat(reader.awaitEnd()).hasSize(sent + 2);
    }
  }

  @Test
  void responsesThatNobodyTakes_holdNoThreads() throws Exception {
    try (JarServer server =
        JarServer.of(folder.resolve("store"))
            .java("-Xmx64m")
            .flags("--request-timeout", "1h")
            .start()) {
      for (int i = 0; i < CLIENTS; i++) {
        ask(server, "/openapi.json", "");
      }
      Await.until("all are served", () -> Scrape.of(server).own("connections") > CLIENTS);
      for (int i = 0; i < 100; i++) {
        store(server, "s" + i);
      }
    }
  }
}
