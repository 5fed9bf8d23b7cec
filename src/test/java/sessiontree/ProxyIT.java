package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The server works behind nginx with TLS as it does without, given the configuration that the
 * manual links to. Skipped if nginx is missing: see {@link Programs}.
 */
@Timeout(120)
class ProxyIT {
  private static final int DEADLINE_SECONDS = 30;
  private static final int MAX_MESSAGE_BYTES = 1 << 20;
  private static final String CONFIGURATION = "src/main/scripts/nginx.conf";
  private static final String WRITE_TOKEN = "written-by-the-test";
  private static final String READ_TOKEN = "read-by-the-test";

  @TempDir private static Path folder;
  private static JarServer server;
  private static Process nginx;
  private static int port;
  private static OkHttpClient http;

  @BeforeAll
  static void startServerAndNginx() throws Exception {
    String program = Programs.find("nginx", "apt-get install nginx");
    String openssl = Programs.find("openssl", "apt-get install openssl");
    Path certificate = folder.resolve("certificate.pem");
    Path key = folder.resolve("key.pem");
    Programs.run(
            folder,
            List.of(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days=2",
                "-subj=/CN=localhost",
                "-addext=subjectAltName=DNS:localhost",
                "-out=" + certificate,
                "-keyout=" + key))
        .orFail();
    http = trusting(certificate);
    server =
        JarServer.start(
            folder.resolve("store"), "--write-token", WRITE_TOKEN, "--read-token", READ_TOKEN);
    port = freePort();
    Path configuration = folder.resolve("nginx.conf");
    Files.writeString(
        configuration,
        Files.readString(Path.of(CONFIGURATION))
            .replace("http {", "http {\n" + temporaryFolders())
            .replace("listen 443", "listen 127.0.0.1:" + port)
            .replace("server 127.0.0.1:8080", "server 127.0.0.1:" + server.port())
            .replace("/etc/ssl/sessiontree.pem", certificate.toString())
            .replace("/etc/ssl/private/sessiontree.key", key.toString())
            .replace("/var/log/nginx", folder.toString()));
    nginx =
        new ProcessBuilder(
                program,
                "-e",
                folder.resolve("start.log").toString(),
                "-p",
                folder.toString(),
                "-c",
                configuration.toString(),
                "-g",
                "daemon off; master_process off; pid nginx.pid;")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("nginx.out").toFile())
            .start();
    awaitListening();
  }

  /** Returns settings that replace Debian's temporary folders: only root may write to /var/lib. */
  private static String temporaryFolders() {
    StringBuilder lines = new StringBuilder();
    for (String of : List.of("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) {
      lines.append(of).append("_temp_path ").append(folder.resolve(of)).append(";\n");
    }
    return lines.toString();
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  private static void awaitListening() throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
    while (true) {
      try (Socket unused = new Socket(InetAddress.getLoopbackAddress(), port)) {
        return;
      } catch (IOException e) {
        if (nginx.waitFor(20, TimeUnit.MILLISECONDS) || System.nanoTime() > deadline) {
          throw new AssertionError(
              "nginx does not listen: " + Files.readString(folder.resolve("nginx.out")), e);
        }
      }
    }
  }

  private static OkHttpClient trusting(Path certificate) throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (var in = Files.newInputStream(certificate)) {
      trusted.setCertificateEntry(
          "nginx", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return new OkHttpClient.Builder()
        .sslSocketFactory(
            context.getSocketFactory(), (X509TrustManager) managers.getTrustManagers()[0])
        .build();
  }

  @AfterAll
  static void stop() throws InterruptedException {
    if (nginx != null) {
      Programs.end(nginx);
    }
    if (server != null) {
      server.close();
    }
  }

  private static Request.Builder to(String path) {
    return new Request.Builder().url("https://localhost:" + port + path);
  }

  private static Request.Builder read(String path) {
    return to(path).header("Authorization", "Bearer " + READ_TOKEN);
  }

  private record Received(Response response, byte[] body) {
    String text() {
      return new String(body, UTF_8);
    }
  }

  private static Received send(Request.Builder request) throws IOException {
    try (Response response = http.newCall(request.build()).execute()) {
      return new Received(response, response.body().bytes());
    }
  }

  private static Received post(String id, String message) throws IOException {
    return send(
        to("/sessions/" + id + "/events")
            .header("Authorization", "Bearer " + WRITE_TOKEN)
            .post(RequestBody.create(message.getBytes(UTF_8))));
  }

  private static Request.Builder stream(String id) {
    return to("/sessions/" + id + "/stream?writer=w&access_token=" + WRITE_TOKEN);
  }

  @Test
  void stream_isAcknowledged_andContinues() throws Exception {
    String id = newId();
    try (StreamClient stream = StreamClient.connect(http, stream(id).build())) {
      assertThat(stream.next("OPEN").path("messages").asInt()).isZero();
      stream.send(message(start(id), event("3", "b")));
      stream.ack(1);
    }
    try (StreamClient stream = StreamClient.connect(http, stream(id).build())) {
      assertThat(stream.next("OPEN").path("messages").asInt()).isEqualTo(1);
      stream.sendBinary(message(event("2", "a"), end(id)));
      assertThat(stream.complete().path("messages").asInt()).isEqualTo(2);
      assertThat(stream.closeCode()).isEqualTo(1000);
    }
    assertThat(send(read("/sessions/" + id)).text())
        .isEqualTo(tree(event("2", "a"), event("3", "b")));
  }

  @Test
  void messageOfTheGreatestSize_isPosted_andOneByteMoreIsRefused() throws Exception {
    String id = newId();
    String frame = message(start(id), event("2", ""), end(id));
    int bytes = MAX_MESSAGE_BYTES - frame.length();
    String large = event("2", "x".repeat(bytes));
    assertThat(post(id, message(start(id), large + " ", end(id))).response().code()).isEqualTo(413);
    Received posted = post(id, message(start(id), large, end(id)));
    assertThat(posted.text()).contains("\"state\":\"complete\"");
    assertThat(send(read("/sessions/" + id)).text()).isEqualTo(tree(large));
  }

  @Test
  void gzippedTree_comesThrough_withItsStrongETag() throws Exception {
    String id = newId();
    String[] entries = new String[1002];
    for (int i = 0; i < entries.length; i++) {
      entries[i] = event("" + i, "an_event_that_is_like_the_others");
    }
    entries[0] = start(id);
    entries[entries.length - 1] = end(id);
    assertThat(post(id, message(entries)).response().code()).isEqualTo(200);
    Received gzipped = send(read("/sessions/" + id).header("Accept-Encoding", "gzip"));
    assertThat(gzipped.response().header("Content-Encoding")).isEqualTo("gzip");
    try (var in = new GZIPInputStream(new ByteArrayInputStream(gzipped.body()))) {
      entries[0] = entries[1];
      assertThat(new String(in.readAllBytes(), UTF_8))
          .isEqualTo(tree(List.of(entries).subList(1, 1001).toArray(String[]::new)));
    }
    String etag = gzipped.response().header("ETag");
    assertThat(etag).startsWith("\"");
    Received again =
        send(
            read("/sessions/" + id)
                .header("Accept-Encoding", "gzip")
                .header("If-None-Match", etag));
    assertThat(again.response().code()).isEqualTo(304);
  }

  @Test
  void readerWhoPrefersToWait_getsItsResponseWhenTheSessionIsComplete_orWhenTheTimeIsOver()
      throws Exception {
    String id = newId();
    post(id, message(start(id)));
    long began = System.nanoTime();
    assertThat(send(read("/sessions/" + id).header("Prefer", "wait=2")).response().code())
        .isEqualTo(409);
    assertThat(System.nanoTime() - began).isBetween(1_900_000_000L, 15_000_000_000L);
    CompletableFuture<String> waiting =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return send(read("/sessions/" + id).header("Prefer", "wait=9")).text();
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
    post(id, message(end(id)));
    assertThat(waiting.get(DEADLINE_SECONDS, TimeUnit.SECONDS)).isEqualTo(tree());
  }

  @Test
  void watcher_isSentEachEventAtOnce() throws Exception {
    String id = newId();
    post(id, message(start(id), event("1", "a")));
    try (Response live = http.newCall(read("/sessions/" + id + "/live").build()).execute()) {
      BufferedSource lines = live.body().source();
      awaitLine(lines, "data: " + event("1", "a"));
      post(id, message(event("2", "b")));
      awaitLine(lines, "data: " + event("2", "b"));
      post(id, message(end(id)));
      awaitLine(lines, "event: complete");
    }
  }

  /** Reads up to a line. Fails if the client times out first, after ten seconds without data. */
  private static void awaitLine(BufferedSource lines, String line) throws IOException {
    while (!line.equals(lines.readUtf8LineStrict())) {}
  }

  @Test
  void originOfTheProxy_isTheServersOwn_andAnotherIsRefused() throws Exception {
    String id = newId();
    String own = "https://localhost:" + port;
    try (StreamClient stream =
        StreamClient.connect(http, stream(id).header("Origin", own).build())) {
      stream.next("OPEN");
    }
    assertThat(send(read("/sessions/" + id).header("Origin", own)).response().code())
        .isEqualTo(404);
    for (String other : List.of("https://localhost", "https://example.org", "null")) {
      assertThat(send(read("/sessions/" + id).header("Origin", other)).response().code())
          .as(other)
          .isEqualTo(403);
      assertThatThrownBy(
              () -> StreamClient.connect(http, stream(id).header("Origin", other).build()))
          .as(other)
          .isInstanceOf(IOException.class)
          .hasStackTraceContaining("403");
    }
  }

  @Test
  void logsOfTheProxy_holdNoToken() throws Exception {
    String id = newId();
    String query = "?access_token=" + READ_TOKEN;
    assertThat(send(to("/sessions" + query)).response().code()).isEqualTo(200);
    assertThat(send(to("/sessions/" + id + query)).response().code()).isEqualTo(404);
    try (StreamClient stream = StreamClient.connect(http, stream(id).build())) {
      stream.next("OPEN");
    }
    byte[] large = new byte[MAX_MESSAGE_BYTES + 1];
    Request.Builder refused =
        to("/sessions/" + id + "/events?access_token=" + WRITE_TOKEN)
            .post(RequestBody.create(large));
    assertThat(send(refused).response().code()).isEqualTo(413); // nginx's own error
    String access = Files.readString(folder.resolve("sessiontree.log"));
    assertThat(access).contains("\"GET /sessions/" + id + " HTTP/1.1\" 404");
    assertThat(access + Files.readString(folder.resolve("sessiontree-error.log")))
        .doesNotContain("access_token", READ_TOKEN, WRITE_TOKEN);
  }
}
