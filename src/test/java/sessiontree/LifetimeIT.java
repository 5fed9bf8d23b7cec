package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions that nobody ends, and trees that nobody needs any more. */
class LifetimeIT {
  @TempDir private Path folder;

  private Path store() {
    return folder.resolve("store");
  }

  private static void post(JarServer server, String id, String... entries) throws Exception {
    HttpResult response = HttpResult.post(server, "/sessions/" + id + "/events", message(entries));
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  private static int status(JarServer server, String id) throws Exception {
    return HttpResult.send(server, "GET", "/sessions/" + id).status();
  }

  private static HttpResult awaitTree(JarServer server, String id) throws Exception {
    HttpResult response = HttpResult.send(server, "GET", "/sessions/" + id, "Prefer", "wait=30");
    assertThat(response.status()).as(response.body()).isEqualTo(200);
    return response;
  }

  private static void awaitGone(JarServer server, String id) throws Exception {
    Await.until(id + " is gone", () -> status(server, id) == 404);
  }

  @Test
  void idleSession_isEndedOnce_atItsGreatestTimestamp_andItsStreamsGetComplete() throws Exception {
    String last = event("1569972085.50", "last");
    try (JarServer server = JarServer.start(store(), "--abandon-after", "2s");
        RawStream stream = RawStream.connect(server.port(), "idle")) {
      stream.next("OPEN");
      stream.send(message(start("idle"), last, event("7", "first"), event("1.5e3", "second")));
      stream.ack(1);
      post(server, "bare", start("bare"));
      assertThat(stream.complete().path("entries").asInt()).isBetween(4, 5);
      assertThat(stream.closeCode()).isEqualTo(1000);
      assertThat(awaitTree(server, "idle").body())
          .isEqualTo(
              "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972085.50,\"abandoned\":true,\"children\":["
                  + String.join(",", event("7", "first"), event("1.5e3", "second"), last)
                  + "]}");
      assertThat(awaitTree(server, "bare").body())
          .isEqualTo(
              "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972082,\"abandoned\":true,\"children\":[]}");
      HttpResult late = HttpResult.post(server, "/sessions/bare/events", message(end("bare")));
      assertThat(late.body()).contains("\"session_complete\"");
      Scrape metrics = Scrape.of(server);
      assertThat(metrics.own("sessions_abandoned_total")).isEqualTo(2);
      assertThat(metrics.own("sessions_completed_total")).isEqualTo(2);
      assertThat(metrics.own("sessions_open")).isZero();
      server.kill();
    }
    try (JarServer server = JarServer.start(store(), "--delete-after=1s")) {
      awaitGone(server, "idle"); // like any session that was completed before
      awaitGone(server, "bare");
    }
  }

  @Test
  void sessionThatGetsMessages_isNotEnded_whileOthersAre() throws Exception {
    try (JarServer server = JarServer.start(store(), "--abandon-after=PT2S")) {
      post(server, "busy", start("busy"));
      post(server, "idle", start("idle"));
      Await.until(
          "the other is ended",
          () -> {
            post(server, "busy", event("1", "e"));
            return status(server, "idle") == 200;
          });
      assertThat(status(server, "busy")).isEqualTo(409);
    }
  }

  /** Measures the time itself, so its claim holds however slow the machine is. */
  @Test
  void timeThatTheServerIsStopped_doesNotCount() throws Exception {
    long abandonNanos = TimeUnit.SECONDS.toNanos(2);
    long posted;
    long stopped;
    try (JarServer server = JarServer.start(store(), "--abandon-after=2s")) {
      posted = System.nanoTime();
      post(server, "s", start("s"));
      assertThat(server.terminate()).isZero();
      stopped = System.nanoTime();
    }
    Await.until("stopped for long enough", () -> System.nanoTime() - stopped > abandonNanos);
    long begun = System.nanoTime();
    try (JarServer server = JarServer.start(store(), "--abandon-after=2s")) {
      awaitTree(server, "s");
      long ran = stopped - posted + System.nanoTime() - begun;
      assertThat(ran).isGreaterThanOrEqualTo(abandonNanos);
    }
  }

  @Test
  void timeOfEarlierRuns_counts() throws Exception {
    long runNanos = TimeUnit.MILLISECONDS.toNanos(2_500); // less than the server's 4 s
    boolean abandoned = false;
    for (int run = 0; run < 8 && !abandoned; run++) {
      try (JarServer server = JarServer.start(store(), "--abandon-after=4s")) {
        if (run == 0) {
          post(server, "s", start("s"));
        }
        long began = System.nanoTime();
        Await.until(
            "the run is over",
            () -> status(server, "s") == 200 || System.nanoTime() - began > runNanos);
        abandoned = status(server, "s") == 200;
        assertThat(server.terminate()).isZero();
      }
    }
    assertThat(abandoned).isTrue();
  }

  @Test
  void completeSessions_areDeletedAfterTheirTime_alsoThoseOfEarlierRuns_andNoOthers()
      throws Exception {
    try (JarServer server = JarServer.start(store())) {
      post(server, "earlier", start("earlier"), end("earlier"));
      post(server, "open", start("open"));
      assertThat(server.terminate()).isZero();
    }
    try (JarServer server = JarServer.start(store(), "--delete-after=1s")) {
      post(server, "now", start("now"), end("now"));
      awaitGone(server, "earlier");
      awaitGone(server, "now");
      post(server, "now", start("now"));
      assertThat(status(server, "now")).isEqualTo(409);
      post(server, "now", end("now"));
      awaitGone(server, "now");
      assertThat(status(server, "open")).isEqualTo(409);
      Scrape metrics = Scrape.of(server);
      assertThat(metrics.own("sessions_expired_total")).isEqualTo(3);
      assertThat(metrics.own("sessions_deleted_total")).isEqualTo(3);
      server.kill();
    }
    try (JarServer server = JarServer.start(store())) {
      assertThat(status(server, "earlier")).isEqualTo(404);
      assertThat(status(server, "now")).isEqualTo(404);
      assertThat(status(server, "open")).isEqualTo(409);
    }
  }
}
