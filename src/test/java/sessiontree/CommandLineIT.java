package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.JarServer.Ended;

/** How the server starts, and how it reports that it cannot. */
class CommandLineIT {
  private static final int USAGE = 2;
  private static final int NO_START = 1;

  @TempDir private Path folder;

  private JarServer.Launch server() {
    return JarServer.of(folder.resolve("store"));
  }

  private static void assertOneLine(Ended ended, int code, String... words) {
    assertThat(ended.errors()).hasSize(1);
    assertThat(ended.errors().get(0)).startsWith("sessiontree: ").contains(words);
    assertThat(ended.errors().get(0)).doesNotContain("Exception", "java.");
    assertThat(ended.code()).isEqualTo(code);
    assertThat(ended.output()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--port=-1",
        "--port=65536",
        "--port=http",
        "--port=",
        "--store=nats://localhost:4222",
        "--store=",
        "--host=",
        "--max-message-bytes=0",
        "--max-message-bytes=1kb",
        "--max-message-bytes=0k",
        "--max-message-bytes=1g",
        "--max-message-bytes=999999999999999999g",
        "--memory-bytes=1.5g",
        "--max-message-bytes=9999999999",
        "--max-connections=0",
        "--max-connections=many",
        "--max-open-sessions=0",
        "--max-open-sessions=x",
        "--memory-bytes=1",
        "--memory-bytes=x",
        "--log-bytes=1",
        "--log-bytes=x",
        "--inflow-bytes=1",
        "--inflow-bytes=x",
        "--request-timeout=0s",
        "--request-timeout=30",
        "--abandon-after=-2s",
        "--abandon-after=24",
        "--abandon-after=2 s",
        "--abandon-after=PT0S",
        "--delete-after=tomorrow",
        "--delete-after=",
        "--delete-after=999999999d",
        "--write-token=",
        "--write-token=two words",
        "--write-token=one,two",
        "--read-token=@/no/such/file",
        "--read-token=@/dev/null",
        "--admin-token=",
        "--admin-token=@/no/such/file",
        "--jwt-key=",
        "--jwt-key=a-secret-of-less-than-32-bytes",
        "--jwt-key=@/no/such/file",
        "--jwt-key=-----BEGIN PRIVATE KEY-----",
        "--jwt-key=-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----",
        "--allowed-origin=example.org",
        "--allowed-origin=https://example.org/path",
        "--allowed-origin=https://example.org/",
        "--allowed-origin=https://*.example.org",
        "--allowed-origin=https://user@example.org",
        "--allowed-origin=https://example.org?a",
        "--allowed-origin=https://example.org:0",
        "--allowed-origin=https://example.org:65536",
        "--allowed-origin=https://example.org:x",
        "--allowed-origin=https://",
        "--allowed-origin=wss://example.org",
        "--allowed-origin=null",
        "--allowed-origin=",
        "--allowed-host=",
        "--allowed-host=example.org:8080",
        "--allowed-host=https://example.org",
        "--allowed-host=*.example.org",
        "--log-level=loud",
        "--no-such-flag",
        "--port"
      })
  void wrongFlag_isOneLineThatNamesIt(String flag) throws Exception {
    assertOneLine(server().onlyFlags(flag).run(), USAGE, flag.split("=")[0]);
    assertThat(folder.toFile().list()).as("it has made no store").isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "SESSIONTREE_MAX_MESSAGE_BYTES, 0",
    "SESSIONTREE_MAX_CONNECTIONS, x",
    "SESSIONTREE_MAX_OPEN_SESSIONS, x",
    "SESSIONTREE_MEMORY_BYTES, x",
    "SESSIONTREE_LOG_BYTES, 1",
    "SESSIONTREE_INFLOW_BYTES, x",
    "SESSIONTREE_REQUEST_TIMEOUT, x",
    "SESSIONTREE_ABANDON_AFTER, x",
    "SESSIONTREE_DELETE_AFTER, x",
    "SESSIONTREE_WRITE_TOKEN, two words",
    "SESSIONTREE_READ_TOKEN, @/no/such/file",
    "SESSIONTREE_ADMIN_TOKEN, 'a,,b'",
    "SESSIONTREE_JWT_KEY, short",
    "SESSIONTREE_ALLOWED_HOST, 'a.example,b/c'",
    "SESSIONTREE_ALLOWED_ORIGIN, 'https://a.example,b'",
    "SESSIONTREE_LOG_LEVEL, loud"
  })
  void wrongVariable_isOneLineThatNamesIt(String name, String value) throws Exception {
    assertOneLine(server().variable(name, value).run(), USAGE, "sessiontree: " + name + ": ");
  }

  @Test
  void wrongPortAndStoreByVariable_areOneLine() throws Exception {
    JarServer.Launch port = server().onlyFlags().variable("SESSIONTREE_PORT", "x");
    assertOneLine(port.run(), USAGE, "SESSIONTREE_PORT: must be a whole number; got x");
    JarServer.Launch store = server().onlyFlags().variable("SESSIONTREE_STORE", "nats://x");
    assertOneLine(store.run(), USAGE, "SESSIONTREE_STORE: ");
  }

  @Test
  void tokenThatIsWrong_isNotShown() throws Exception {
    Ended ended = server().flags("--write-token=se cret").run();
    assertThat(String.join("", ended.errors())).contains("--write-token").doesNotContain("cret");
    Ended key = server().flags("--jwt-key=se-cret").run();
    assertThat(String.join("", key.errors()))
        .contains("--jwt-key: must be a secret of 32 bytes or more")
        .doesNotContain("se-cret");
  }

  @Test
  void takenPort_isOneLine() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = "" + taken.getLocalPort();
      String store = folder.resolve("store").toString();
      assertOneLine(
          server().onlyFlags("--store", store, "--port", port).run(),
          NO_START,
          "127.0.0.1:" + port);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"256.1.1.1", "no.such.host.invalid", "192.0.2.1"})
  void addressThatIsNotThisMachines_isOneLine(String host) throws Exception {
    assertOneLine(server().flags("--host", host).run(), NO_START, host);
  }

  @Test
  void storeThatIsAFile_isOneLine() throws Exception {
    Files.writeString(folder.resolve("store"), "a file");
    assertOneLine(server().run(), NO_START, folder.resolve("store").toString());
    assertThat(folder.resolve("store")).hasContent("a file");
  }

  @Test
  void storeInAFolderThatCannotBeWritten_isOneLine() throws Exception {
    String path = "/proc/sessiontree"; // where even root cannot write
    assertOneLine(server().onlyFlags("--port=0", "--store", path).run(), NO_START, path);
  }

  @Test
  void storeThatAnotherServerHolds_isOneLine_andLeavesThatAlone() throws Exception {
    try (JarServer first = server().start()) {
      String store = folder.resolve("store").toString();
      assertOneLine(server().run(), NO_START, store, "another process");
      assertThat(HttpResult.send(first, "GET", "/health").status()).isEqualTo(200);
    }
  }

  @Test
  void help_showsAllFlags_withDefaultsAndUnits() throws Exception {
    Ended ended = server().onlyFlags("--help").run();
    assertThat(ended.code()).isZero();
    assertThat(ended.errors()).isEmpty();
    String help = String.join(" ", ended.output()).replaceAll(" +", " ");
    assertThat(help)
        .contains("--host ADDRESS", "127.0.0.1", "--port PORT", "8080", "--store DIR", "./data")
        .contains(
            "--write-token TOKEN",
            "--read-token TOKEN",
            "--admin-token TOKEN",
            "--jwt-key KEY",
            "--allowed-host NAME",
            "--allowed-origin ORIGIN",
            "@FILE")
        .contains("--abandon-after TIME", "--delete-after TIME", "--request-timeout TIME", "30s")
        .contains("--max-message-bytes BYTES", "1048576", "--log-bytes BYTES", "536870912")
        .contains("--memory-bytes BYTES", "--inflow-bytes BYTES", "of the heap")
        .contains("--max-connections COUNT", "--max-open-sessions COUNT", "--log-level LEVEL")
        .contains("error, warn, info, debug, trace", "--help", "--version", "SESSIONTREE_PORT")
        .doesNotContain("[]", "null");
  }

  @Test
  void help_isForTerminals_of80Columns() throws Exception {
    Ended ended = server().onlyFlags("--help").run();
    assertThat(ended.output()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(80));
  }

  @Test
  void version_hasVersionAndCommit() throws Exception {
    Ended ended = server().onlyFlags("--version").run();
    assertThat(ended.code()).isZero();
    assertThat(ended.output()).hasSize(1);
    assertThat(ended.output().get(0))
        .matches("sessiontree [0-9]+\\.[0-9]+\\S* \\(commit ([0-9a-f]{7,40}|unknown)\\)");
  }

  @Test
  void variables_setWhatFlagsDo_andFlagsBeatThem() throws Exception {
    Path store = folder.resolve("by variable");
    try (JarServer server =
        server()
            .onlyFlags("--port=0")
            .variable("SESSIONTREE_STORE", store.toString())
            .variable("SESSIONTREE_PORT", "1")
            .variable("SESSIONTREE_MAX_CONNECTIONS", "77")
            .variable("SESSIONTREE_ALLOWED_ORIGIN", "https://a.example,https://b.example")
            .start()) {
      assertThat(store).isDirectory();
      assertThat(Scrape.of(server).own("connections_limit")).isEqualTo(77);
      for (String origin : List.of("https://a.example", "https://b.example")) {
        HttpResult response = HttpResult.send(server, "GET", "/health", "Origin", origin);
        assertThat(response.headers()).containsEntry("access-control-allow-origin", origin);
      }
    }
  }

  @Test
  void emptyVariable_isNone() throws Exception {
    try (JarServer server =
        server()
            .java("-Xmx64m")
            .variable("SESSIONTREE_MAX_CONNECTIONS", "")
            .variable("SESSIONTREE_WRITE_TOKEN", "")
            .variable("SESSIONTREE_HOST", "")
            .start()) {
      assertThat(Scrape.of(server).own("connections_limit")).isBetween(900.0, 1_024.0);
    }
  }

  /** Occupies the default port, so that the server's error shows which port it chose. */
  @Test
  void portThatKubernetesSets_isNone() throws Exception {
    try (ServerSocket taken = new ServerSocket()) {
      try {
        taken.bind(new InetSocketAddress("127.0.0.1", 8080));
      } catch (BindException e) {
        // another process holds the port, which does as well
      }
      String store = folder.resolve("store").toString();
      JarServer.Launch server = server().onlyFlags("--store", store);
      Ended ended = server.variable("SESSIONTREE_PORT", "tcp://10.0.0.1:8080").run();
      assertOneLine(ended, NO_START, "cannot listen on 127.0.0.1:8080");
    }
  }

  @ParameterizedTest
  @CsvSource({"64k, 65536", "64K, 65536", "3m, 3145728", "2G, 2147483648", "70000, 70000"})
  void sizes_takeUnits(String size, double bytes) throws Exception {
    try (JarServer server = server().flags("--inflow-bytes", size).start()) {
      assertThat(Scrape.of(server).own("inflow_limit_bytes")).isEqualTo(bytes);
    }
  }

  @Test
  void hostThatIsNotThere_isNamedSo() throws Exception {
    assertOneLine(
        server().flags("--host", "nosuch.invalid").run(), NO_START, "there is no such host");
  }

  @ParameterizedTest
  @ValueSource(strings = {"::1", "[::1]"})
  void ipv6Address_isListenedOn_andShownAsInAUrl(String host) throws Exception {
    try (JarServer server = server().flags("--host", host).start()) {
      assertThat(server.listening()).startsWith("http://[::1]:");
      URL health = new URL(server.listening() + "/health");
      assertThat(health.openStream().readAllBytes()).asString().contains("UP");
    }
  }

  @Test
  void quietServer_saysWhereItListens_andLogsThatItStartedAndStopped() throws Exception {
    try (JarServer server = server().start()) {
      assertThat(HttpResult.send(server, "GET", "/sessions").status()).isEqualTo(200);
      assertThat(server.terminate()).isZero();
      assertThat(server.furtherOutput()).isEmpty();
      String[] lines = server.errors().split("\n");
      assertThat(lines).hasSize(2);
      assertThat(lines[0])
          .contains("INFO", "started", "store=" + folder.resolve("store"), "heap_bytes=")
          .contains("max_open_sessions=", "commit");
      assertThat(lines[1]).contains("INFO", "stopped");
    }
  }

  @Test
  void refusedTokens_areLogged_butFewASecond_andWithoutTokenAndPath() throws Exception {
    try (JarServer server = server().flags("--read-token=right").start()) {
      for (int i = 0; i < 100; i++) {
        RawHttp.get(server.port(), "/sessions/se-cret?access_token=se-cret");
      }
      assertThat(server.terminate()).isZero();
      assertThat(server.errors().split("\n"))
          .filteredOn(line -> line.contains("code=unauthorized"))
          .hasSizeBetween(1, 90)
          .allMatch(line -> line.contains("route=/sessions/{id} from="));
      assertThat(server.errors()).doesNotContain("se-cret");
    }
  }

  @Test
  void deletedSession_isLogged_andRefusedMessagesWhereDebugIsAskedFor() throws Exception {
    try (JarServer server = server().flags("--log-level=debug").start()) {
      RawHttp.post(server.port(), "/sessions/a/events", "[]");
      String start = Entries.message(Entries.start("a"));
      assertThat(RawHttp.post(server.port(), "/sessions/a/events", start).status()).isEqualTo(200);
      RawHttp.send(server.port(), "DELETE /sessions/a", "", "");
      assertThat(server.terminate()).isZero();
      assertThat(server.errors())
          .contains("session=a deleted", "session=a messages refused count=1 code=invalid_message")
          .contains("request refused code=invalid_message method=POST route=/sessions/{id}/events");
    }
  }
}
