package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.ProblemDetails.assertProblem;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.LiveClient.Event;

/** What a client that watches a growing session can rely on. */
class LiveIT {
  private static final int WATCHERS = 1_000;
  private static final int SESSIONS = 100;

  /** More than Jetty's pool of 64, and far fewer than one for each watcher. */
  private static final int FEW_THREADS = 200;

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

  private void post(String... entries) throws Exception {
    postTo(server, id, entries);
  }

  private static void postTo(JarServer server, String id, String... entries) throws Exception {
    HttpResult reply = HttpResult.post(server, "/sessions/" + id + "/events", message(entries));
    assertThat(reply.status()).as(reply.body()).isEqualTo(200);
  }

  private static Event entry(String id, String child) {
    return new Event("entry", id, child);
  }

  private Event session(int entries) {
    String data = "{\"session_id\":\"%s\",\"start\":%s,\"entries\":%d}";
    return new Event("session", "0", data.formatted(id, Entries.START, entries));
  }

  private Event complete(String last) {
    return new Event("complete", last, "{\"location\":\"/sessions/" + id + "\"}");
  }

  private static final Event RESET = new Event("reset", null, "{}");

  @Test
  void watcher_getsWhatIsStored_inOrder_thenWhatComes_thenTheEnd() throws Exception {
    post(start(id), event("3", "c"), event("1", "a]}\\\""));
    LiveClient watcher = LiveClient.watch(server, id);
    watcher.await(3);
    post(event("2", "b"));
    post(event("5", "d"), event("4", "e"), end(id));
    assertThat(watcher.awaitEnd())
        .containsExactly(
            session(3),
            entry(null, event("1", "a]}\\\"")),
            entry("2", event("3", "c")),
            entry("3", event("2", "b")),
            entry("4", event("5", "d")),
            entry("5", event("4", "e")),
            complete("5"));
    assertThat(watcher.response().headers().map())
        .containsEntry("cache-control", List.of("no-store"))
        .containsEntry("content-type", List.of("text/event-stream;charset=utf-8"))
        .containsEntry("x-accel-buffering", List.of("no"));
  }

  @Test
  void completeSession_isSentWhole_andThenNotAgain() throws Exception {
    post(start(id), event("2", "b"), event("1", "a"), end(id));
    assertThat(LiveClient.watch(server, id).awaitEnd())
        .containsExactly(
            session(4), entry(null, event("1", "a")), entry("2", event("2", "b")), complete("2"));
    assertThat(LiveClient.resume(server, id, "2").response().statusCode()).isEqualTo(204);
    assertThat(LiveClient.resume(server, id, "1").awaitEnd())
        .startsWith(RESET, session(4))
        .endsWith(complete("2"));
  }

  @Test
  void sessionWithoutEvents_getsItsStartAndEnd() throws Exception {
    post(start(id));
    LiveClient watcher = LiveClient.watch(server, id);
    watcher.await(1);
    post(end(id));
    assertThat(watcher.awaitEnd()).containsExactly(session(1), complete("0"));
    assertThat(LiveClient.watch(server, id).awaitEnd()).containsExactly(session(2), complete("0"));
  }

  @Test
  void watcherThatComesBack_getsWhatItHasNotSeen() throws Exception {
    post(start(id), event("2", "b"));
    LiveClient watcher = LiveClient.watch(server, id);
    watcher.await(2);
    watcher.close();
    post(event("1", "a"), event("0", "c"));
    LiveClient again = LiveClient.resume(server, id, "1");
    again.await(2);
    post(event("3", "d"), end(id));
    assertThat(again.awaitEnd())
        .containsExactly(
            entry("2", event("1", "a")),
            entry("3", event("0", "c")),
            entry("4", event("3", "d")),
            complete("4"));
  }

  @Test
  void watcherThatCannotGoOn_getsEverythingAgain() throws Exception {
    post(start(id), event("2", "b"), event("1", "a"));
    List<LiveClient> watchers = new ArrayList<>();
    for (String unknown : new String[] {"0", "3", "x", "-1", "999999999999999999999"}) {
      watchers.add(LiveClient.resume(server, id, unknown));
    }
    for (LiveClient watcher : watchers) {
      assertThat(watcher.await(4))
          .containsExactly(
              RESET, session(3), entry(null, event("1", "a")), entry("2", event("2", "b")));
    }
    post(end(id));
    for (LiveClient watcher : watchers) {
      assertThat(watcher.awaitEnd()).endsWith(complete("2"));
    }
  }

  @Test
  void deletedSession_endsItsWatchers() throws Exception {
    post(start(id));
    LiveClient watcher = LiveClient.watch(server, id);
    watcher.await(1);
    assertThat(HttpResult.send(server, "DELETE", "/sessions/" + id).status()).isEqualTo(204);
    assertThat(watcher.awaitEnd()).containsExactly(session(1), new Event("deleted", "0", "{}"));
    assertProblem(
        RawHttp.get(server.port(), "/sessions/" + id + "/live"), 404, "session_not_found");

    post(start(id), event("1", "a"));
    assertThat(LiveClient.resume(server, id, "0").await(3))
        .as("all of the session that was begun anew")
        .containsExactly(RESET, session(2), entry("1", event("1", "a")));
  }

  @Test
  void headHasItsResponse_andOtherMethodsAreRefused() throws Exception {
    post(start(id));
    HttpResult head = HttpResult.send(server, "HEAD", "/sessions/" + id + "/live");
    assertThat(head.status()).isEqualTo(200);
    assertThat(head.headers().get("content-type")).startsWith("text/event-stream");
    RawHttp posted = RawHttp.post(server.port(), "/sessions/" + id + "/live", "[]");
    assertProblem(posted, 405, "method_not_allowed");
  }

  @Test
  void watcherThatHangsUp_isForgotten() throws Exception {
    post(start(id));
    LiveClient watcher = LiveClient.watch(server, id);
    watcher.await(1);
    double others = Scrape.of(server).own("watchers") - 1;
    watcher.close();
    Await.until("it is forgotten", () -> Scrape.of(server).own("watchers") <= others);
  }

  @Test
  void manyWatchers_seeEachChildOnce_inTheOrderStored() throws Exception {
    List<String> ids = IntStream.range(0, SESSIONS).mapToObj(i -> newId()).toList();
    for (String each : ids) {
      postTo(server, each, start(each));
    }
    List<LiveClient> watchers = new ArrayList<>();
    for (int i = 0; i < WATCHERS; i++) {
      watchers.add(LiveClient.watch(server, ids.get(i % SESSIONS)));
    }
    for (LiveClient watcher : watchers) {
      watcher.await(1);
    }
    assertThat(server.threads()).isLessThan(FEW_THREADS);
    Random random = new Random(1);
    List<String> stored = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      String child = event("" + random.nextInt(100), "n" + i);
      stored.add(child);
      for (String each : ids) {
        postTo(server, each, child);
      }
    }
    for (String each : ids) {
      postTo(server, each, end(each));
    }
    for (LiveClient watcher : watchers) {
      List<Event> events = watcher.awaitEnd();
      assertThat(watcher.data("entry")).isEqualTo(stored);
      assertThat(events.get(events.size() - 1).name()).isEqualTo("complete");
    }
  }

  @Test
  void watcherThatDoesNotRead_isCutOff_andHoldsUpNobody() throws Exception {
    post(start(id));
    try (Socket deaf = new Socket()) {
      deaf.setReceiveBufferSize(4 << 10);
      deaf.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
      String request = "GET /sessions/" + id + "/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
      deaf.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      LiveClient watcher = LiveClient.watch(server, id);
      watcher.await(1);
      Await.until("both watch", () -> Scrape.of(server).own("watchers") >= 2);
      String name = "x".repeat(100_000);
      int posts = 0;
      while (droppedSlowWatchers() == 0) {
        post(event("1", name + posts++));
      }
      post(end(id));
      watcher.awaitEnd();
      assertThat(watcher.data("entry")).hasSize(posts);
    }
  }

  private static double droppedSlowWatchers() throws Exception {
    return Scrape.of(server).own("connections_dropped_total{reason=\"slow_watcher\"}");
  }

  @Test
  void watcherOfAServerThatIsKilled_seesAllAfterwards() throws Exception {
    Path store = folder.resolve("killed").resolve("store");
    LiveClient watcher;
    try (JarServer killed = JarServer.start(store)) {
      postTo(killed, id, start(id), event("2", "b"));
      watcher = LiveClient.watch(killed, id);
      watcher.await(2);
      postTo(killed, id, event("1", "a"));
      watcher.await(3);
      killed.kill();
    }
    watcher.awaitEnd();
    try (JarServer again = JarServer.start(store)) {
      LiveClient resumed = LiveClient.resume(again, id, "2");
      LiveClient anew = LiveClient.watch(again, id);
      anew.await(3);
      postTo(again, id, event("3", "c"), end(id));
      resumed.awaitEnd();
      assertThat(resumed.events().get(resumed.events().size() - 1)).isEqualTo(complete("3"));
      assertThat(resumed.data("entry")).contains(event("3", "c"));
      assertThat(anew.awaitEnd())
          .containsExactly(
              session(3),
              entry(null, event("1", "a")),
              entry("2", event("2", "b")),
              entry("3", event("3", "c")),
              complete("3"));
    }
  }

  @Test
  void stoppingServer_endsStreams() throws Exception {
    JarServer stopping = JarServer.start(folder.resolve("stopping").resolve("store"));
    postTo(stopping, id, start(id));
    LiveClient watcher = LiveClient.watch(stopping, id);
    watcher.await(1);
    stopping.close();
    assertThat(watcher.awaitEnd()).containsExactly(session(1));
  }

  @Test
  void longSession_isSentAndFollowed_inLittleMemory() throws Exception {
    Path store = folder.resolve("long").resolve("store");
    int messages = 100;
    int eventsEach = 10_000;
    try (JarServer small = JarServer.of(store).java("-Xmx64m").start()) {
      postTo(small, id, start(id));
      for (int m = 0; m < messages; m++) {
        int from = m;
        String[] events =
            IntStream.range(0, eventsEach)
                .mapToObj(i -> event("" + ((long) i * messages + from), "n"))
                .toArray(String[]::new);
        postTo(small, id, events);
      }
      LiveClient watcher = LiveClient.watch(small, id);
      String late = event("7", "late");
      postTo(small, id, late, end(id));
      List<Event> events = watcher.awaitEnd();
      int children = messages * eventsEach + 1;
      int last = 0;
      for (int i = 0; i < events.size(); i++) {
        last = events.get(i).name().equals("reset") ? i + 1 : last; // it may have fallen behind
      }
      assertThat(events.subList(last, events.size())).hasSize(children + 2);
      assertThat(events.get(events.size() - 1)).isEqualTo(complete("" + children));
    }
  }
}
