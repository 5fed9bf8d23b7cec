package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.bound;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The metrics that Prometheus scrapes. */
class MetricsIT {
  @TempDir private Path folder;
  private JarServer server;

  @BeforeEach
  void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterEach
  void endServer() throws Exception {
    server.close();
  }

  private RawHttp post(String path, String body) throws IOException {
    return RawHttp.post(server.port(), "/sessions/" + path, body);
  }

  @Test
  @FolderOnly
  void metrics_areInPrometheusTextFormat_withHelpAndType() throws Exception {
    HttpResult response = HttpResult.send(server, "GET", "/metrics");
    assertThat(response.headers().get("content-type")).startsWith("text/plain; version=0.0.4");
    Scrape scrape = Scrape.parse(response.body());
    assertThat(scrape.types())
        .containsAllEntriesOf(
            Map.of(
                "sessiontree_messages_received_total", "counter",
                "sessiontree_messages_stored_total", "counter",
                "sessiontree_messages_duplicate_total", "counter",
                "sessiontree_entries_received_total", "counter",
                "sessiontree_entries_stored_total", "counter",
                "sessiontree_entries_duplicate_total", "counter",
                "sessiontree_sessions_completed_total", "counter",
                "sessiontree_sessions_deleted_total", "counter",
                "sessiontree_sessions_abandoned_total", "counter",
                "sessiontree_sessions_expired_total", "counter"))
        .containsAllEntriesOf(
            Map.of(
                "sessiontree_sessions_open", "gauge",
                "sessiontree_connections", "gauge",
                "sessiontree_streams", "gauge",
                "sessiontree_log_bytes", "gauge",
                "sessiontree_log_segments", "gauge",
                "sessiontree_buffer_bytes", "gauge",
                "sessiontree_inflow_bytes", "gauge",
                "sessiontree_recovery_seconds", "gauge",
                "sessiontree_force_seconds", "histogram",
                "sessiontree_finish_seconds", "histogram"))
        .containsAllEntriesOf(
            Map.of(
                "sessiontree_connections_limit", "gauge",
                "sessiontree_spills_total", "counter",
                "sessiontree_spilled_bytes_total", "counter",
                "jvm_threads_current", "gauge",
                "jvm_memory_used_bytes", "gauge"));
    for (String limited :
        new String[] {"connections_limit", "sessions_open_limit", "inflow_limit_bytes"}) {
      assertThat(scrape.own(limited)).as(limited).isPositive();
    }
  }

  @Test
  @FolderOnly
  void numbers_areThoseOfWhatHappened() throws Exception {
    assertThat(post("a/events?writer=w&message=1", message(start("a"), event("1", "e"))).status())
        .isEqualTo(200);
    post("a/events?writer=w&message=1", message(start("a"), event("1", "e"))); // 2 duplicates
    post("a/events", message(start("a"))); // a retry: stored, without its entry
    post("a/events", message(bound("SESSION_START", "1", "a"), event("1", "e"))); // refused: 2
    post("a/events", "["); // unreadable: no entries
    post("a/events", "[]");
    post("a/events", message(event("2", "f"), end("a")));
    post("b/events", message(event("1", "e"))); // not started: 1 entry
    post("b/events", message(start("b")));
    post("c/events", message(start("c")));
    RawHttp.send(server.port(), "DELETE /sessions/c", "", "");
    try (RawStream stream = RawStream.connect(server.port(), "b")) {
      stream.next("OPEN");
      stream.send(message(event("1", "e"), event("2", "f"), event("3", "g")));
      stream.ack(1);
      Await.until("other connections are gone", () -> Scrape.of(server).own("connections") == 2);
      Scrape metrics = Scrape.of(server);
      assertThat(metrics.own("streams")).isEqualTo(1);
      assertThat(metrics.own("messages_received_total")).isEqualTo(11);
      assertThat(metrics.own("messages_stored_total")).isEqualTo(6);
      assertThat(metrics.own("messages_duplicate_total")).isEqualTo(1);
      assertRefused(metrics, "session_already_started", 1, 2);
      assertRefused(metrics, "invalid_json", 1, 0);
      assertRefused(metrics, "invalid_message", 1, 0);
      assertRefused(metrics, "session_not_started", 1, 1);
      assertThat(metrics.own("entries_received_total"))
          .isEqualTo(2 + 2 + 1 + 2 + 2 + 1 + 1 + 1 + 3);
      assertThat(metrics.own("entries_stored_total")).isEqualTo(2 + 2 + 1 + 1 + 3);
      assertThat(metrics.own("entries_duplicate_total")).isEqualTo(2);
      assertThat(metrics.own("sessions_open")).isEqualTo(1);
      assertThat(metrics.own("sessions_completed_total")).isEqualTo(1);
      assertThat(metrics.own("sessions_deleted_total")).isEqualTo(1);
      assertThat(metrics.own("buffer_bytes")).isPositive();
      assertThat(metrics.own("inflow_bytes")).isZero();
    }
    Await.until("the stream is gone", () -> Scrape.of(server).own("streams") == 0);
  }

  private static void assertRefused(Scrape metrics, String code, int messages, int entries) {
    String label = "_refused_total{code=\"" + code + "\"}";
    assertThat(metrics.own("messages" + label)).as(code).isEqualTo(messages);
    assertThat(metrics.own("entries" + label)).as(code).isEqualTo(entries);
  }

  @Test
  void histograms_countEachForceAndEachTree() throws Exception {
    for (int i = 0; i < 3; i++) {
      assertThat(post("s" + i + "/events", message(start("s" + i), end("s" + i))).status())
          .isEqualTo(200);
    }
    Scrape metrics = Scrape.of(server);
    for (String name : new String[] {"force_seconds", "finish_seconds"}) {
      assertThat(metrics.own(name + "_count")).as(name).isGreaterThanOrEqualTo(3);
      assertThat(metrics.own(name + "_sum")).as(name).isPositive();
      assertThat(metrics.own(name + "_bucket{le=\"+Inf\"}"))
          .isEqualTo(metrics.own(name + "_count"));
      double before = 0;
      for (Map.Entry<String, Double> sample : metrics.samples().entrySet()) {
        if (sample.getKey().startsWith("sessiontree_" + name + "_bucket")) {
          assertThat(sample.getValue()).as(sample.getKey()).isGreaterThanOrEqualTo(before);
          before = sample.getValue();
        }
      }
    }
    assertThat(metrics.own("finish_seconds_count")).isEqualTo(3);
  }

  @Test
  void refusedRequests_areCountedByCode() throws Exception {
    RawHttp.get(server.port(), "/sessions/unknown");
    RawHttp.get(server.port(), "/sessions?limit=0");
    RawHttp.send(server.port(), "GET /sessions", "Origin: http://elsewhere.example\r\n", "");
    Scrape metrics = Scrape.of(server);
    assertThat(refused(metrics, "poll", "session_not_found")).isEqualTo(1);
    assertThat(refused(metrics, "client", "invalid_parameter")).isEqualTo(1);
    assertThat(refused(metrics, "client", "origin_not_allowed")).isEqualTo(1);
    assertThat(requests(metrics, "/sessions/{id}", "GET", "4xx")).isEqualTo(1);
    assertThat(requests(metrics, "/sessions", "GET", "4xx")).isEqualTo(2);
  }

  private static double refused(Scrape metrics, String kind, String code) {
    return metrics.own("requests_refused_total{class=\"" + kind + "\",code=\"" + code + "\"}");
  }

  private static double requests(Scrape metrics, String route, String method, String status) {
    String labels = "method=\"%s\",route=\"%s\",status=\"%s\"";
    return metrics.own("request_seconds_count{" + labels.formatted(method, route, status) + "}");
  }

  @Test
  void whateverAClientAsksFor_thereAreFewRoutesAndMethods() throws Exception {
    for (int i = 0; i < 20; i++) {
      RawHttp.send(server.port(), "GET /" + i, "", "");
      RawHttp.send(server.port(), "X" + i + " /sessions/a/b" + i, "", "");
    }
    Scrape metrics = Scrape.of(server);
    assertThat(requests(metrics, "other", "GET", "4xx")).isEqualTo(20);
    assertThat(metrics.samples().keySet())
        .filteredOn(name -> name.startsWith("sessiontree_request_seconds_count"))
        .hasSizeLessThan(5);
  }

  @Test
  @FolderOnly
  void serverItself_isDescribed() throws Exception {
    String message = message(start("a"), event("1", "é"));
    post("a/events", message);
    Scrape metrics = Scrape.of(server);
    assertThat(metrics.own("healthy")).isEqualTo(1);
    assertThat(metrics.own("disk_free_bytes")).isPositive();
    assertThat(metrics.own("sessions_started_total")).isEqualTo(1);
    assertThat(metrics.own("message_bytes_received_total")).isEqualTo(message.length() + 1);
    assertThat(metrics.own("ack_seconds_count")).isEqualTo(1);
    assertThat(metrics.samples().keySet())
        .anyMatch(name -> name.matches("sessiontree_build_info\\{commit=\".+\",version=\".+\"}"));
    try (RawStream stream = RawStream.connect(server.port(), "a")) {
      stream.next("OPEN");
      stream.send(message(event("2", "e")));
      stream.ack(1);
    }
    assertThat(Scrape.of(server).own("message_bytes_received_total"))
        .isEqualTo(message.length() + 1 + message(event("2", "e")).length());
    assertThat(Scrape.of(server).own("ack_seconds_count")).isEqualTo(2);
  }

  /** Includes the Accept headers of Prometheus and Telegraf. */
  @ParameterizedTest
  @CsvSource({
    "'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3', text/plain",
    "'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited', text/plain",
    "'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', application/openmetrics-text",
    "'application/vnd.google.protobuf;q=0.9, application/openmetrics-text;q=0.5, text/plain;q=0.1', application/openmetrics-text",
    "'text/plain;q=0.9, application/openmetrics-text;q=0.1',  text/plain",
    "'application/openmetrics-text;q=0',  text/plain",
    "application/json,                    text/plain",
    "*/*,                                 text/plain",
    "text/html;q=x,                       text/plain",
    "'',                                  text/plain",
    "'\";,;;q=',                          text/plain"
  })
  void metrics_areText_whateverIsAccepted(String accept, String type) throws Exception {
    RawHttp response =
        RawHttp.send(server.port(), "GET /metrics", "Accept: " + accept + "\r\n", "");
    assertThat(response.status()).isEqualTo(200);
    assertThat(response.headers().get("content-type")).startsWith(type + ";");
    assertThat(response.body()).contains("sessiontree_connections");
    assertThat(server.complaints()).isEmpty();
  }

  @Test
  void openMetrics_areServedToWhoAsksForThem() throws Exception {
    HttpResult response =
        HttpResult.send(
            server, "GET", "/metrics", "Accept", "application/openmetrics-text; version=1.0.0");
    assertThat(response.headers().get("content-type")).startsWith("application/openmetrics-text");
    assertThat(response.body()).endsWith("# EOF\n");
  }

  @Test
  @FolderOnly
  void spills_areCounted() throws Exception {
    server.close();
    server = JarServer.start(folder.resolve("store"), "--memory-bytes=65536");
    post("s/events", message(start("s")));
    for (int i = 0; i < 10; i++) {
      assertThat(post("s/events", message(event("1", "x".repeat(20_000)))).status()).isEqualTo(200);
    }
    Await.until("it is spilled", () -> Scrape.of(server).own("spills_total") > 0);
    assertThat(Scrape.of(server).own("spilled_bytes_total")).isPositive();
    server.kill();
    server = JarServer.start(folder.resolve("store"));
    assertThat(Scrape.of(server).own("recovery_seconds")).isPositive();
    assertThat(Scrape.of(server).own("sessions_open")).isEqualTo(1);
  }
}
