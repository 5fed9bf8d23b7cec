package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The files of the page and of the browser client, as served over HTTP. */
class PageIT {
  private static final Path FILES = Path.of("src/main/resources/sessiontree/page");
  private static final String ORIGIN = "https://app.example";

  @TempDir static Path folder;
  private static JarServer server;

  /** Starts a server with tokens, to show that these routes need none. */
  @BeforeAll
  static void startServer() throws Exception {
    server =
        JarServer.start(folder, "--write-token=w", "--read-token=r", "--allowed-origin=" + ORIGIN);
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private static HttpAnswer get(String path, String... headers) throws Exception {
    return HttpAnswer.send(server, "GET", path, headers);
  }

  @ParameterizedTest
  @CsvSource({
    "/,                 index.html,       text/html",
    "/page/page.js,     page.js,          text/javascript",
    "/page/style.css,   style.css,        text/css",
    "/sessiontree.js,   sessiontree.js,   text/javascript",
    "/sessiontree.d.ts, sessiontree.d.ts, application/typescript"
  })
  void file_isServedWhole_plainAndCompressed(String path, String file, String type)
      throws Exception {
    String text = Files.readString(FILES.resolve(file));
    for (String coding : List.of("identity", "gzip")) {
      HttpAnswer answer = get(path, "Accept-Encoding", coding);
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.body()).isEqualTo(text);
      assertThat(answer.headers().get("content-type").replace(" ", ""))
          .isEqualTo(type + ";charset=utf-8");
      assertThat(answer.headers())
          .containsEntry("cache-control", "no-cache")
          .containsEntry("x-content-type-options", "nosniff");
      assertThat(answer.headers().get("vary")).contains("Accept-Encoding");
      assertThat(answer.headers().containsKey("content-encoding"))
          .as("small files are not worth it")
          .isEqualTo(coding.equals("gzip") && text.length() >= 2 << 10);

      HttpAnswer head = HttpAnswer.send(server, "HEAD", path, "Accept-Encoding", coding);
      assertThat(head.status()).isEqualTo(200);
      assertThat(head.body()).isEmpty();
      assertThat(head.headers())
          .containsEntry("etag", answer.headers().get("etag"))
          .containsEntry("content-length", answer.headers().get("content-length"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/page/page.js", "/sessiontree.js", "/sessiontree.d.ts"})
  void copyThatIsStillRight_isNotSentAgain(String path) throws Exception {
    for (String coding : List.of("identity", "gzip")) {
      String tag = get(path, "Accept-Encoding", coding).headers().get("etag");
      assertThat(tag).matches("\"[^\"]+\"");
      for (String known : List.of(tag, "W/" + tag, "\"other\", " + tag, "*")) {
        HttpAnswer answer = get(path, "Accept-Encoding", coding, "If-None-Match", known);
        assertThat(answer.status()).as(known).isEqualTo(304);
        assertThat(answer.body()).isEmpty();
        assertThat(answer.headers())
            .containsEntry("etag", tag)
            .containsEntry("cache-control", "no-cache");
        assertThat(answer.headers().get("vary")).contains("Accept-Encoding");
      }
      assertThat(get(path, "Accept-Encoding", coding, "If-None-Match", "\"other\"").status())
          .isEqualTo(200);
    }
  }

  @Test
  void codings_haveTagsOfTheirOwn() throws Exception {
    HttpAnswer plain = get("/sessiontree.js", "Accept-Encoding", "identity");
    HttpAnswer gzip = get("/sessiontree.js", "Accept-Encoding", "gzip");
    if (gzip.headers().containsKey("content-encoding")) {
      assertThat(gzip.headers().get("etag")).isNotEqualTo(plain.headers().get("etag"));
    }
  }

  @Test
  void page_runsOnlyTheServersOwnScripts_inNoFrame_andTellsNoReferrer() throws Exception {
    for (HttpAnswer answer : List.of(get("/"), get("/", "If-None-Match", "*"))) {
      assertThat(answer.headers().get("content-security-policy"))
          .contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
          .doesNotContain("unsafe");
      assertThat(answer.headers()).containsEntry("referrer-policy", "no-referrer");
    }
    assertThat(Files.readString(FILES.resolve("index.html")))
        .as("what the policy would block")
        .doesNotContain("style=\"", "<style", "javascript:")
        .doesNotContainPattern("<script(?![^>]* src=)")
        .doesNotContainPattern(" on[a-z]+=");
  }

  @Test
  void pageOfAnAllowedOrigin_importsTheClient_andNoOther() throws Exception {
    HttpAnswer allowed = get("/sessiontree.js", "Origin", ORIGIN);
    assertThat(allowed.status()).isEqualTo(200);
    assertThat(allowed.headers()).containsEntry("access-control-allow-origin", ORIGIN);
    HttpAnswer other = get("/sessiontree.js", "Origin", "https://other.example");
    assertThat(other.status()).isEqualTo(403);
    assertThat(other.body()).contains("origin_not_allowed");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/page/other",
        "/page/index.html",
        "/page/sessiontree.js",
        "/page/",
        "/page/PAGE.js",
        "/page/page.js/",
        "/page/page.js;a",
        "/page/page.js%00",
        "/page/../page.js",
        "/page/%2e%2e/web/openapi.json",
        "/page/..%2fweb%2fopenapi.json",
        "/page/../web/openapi.json",
        "/page/..",
        "/index.html",
        "//"
      })
  void otherPath_isNoFile(String path) throws Exception {
    RawHttp answer = RawHttp.send(server.port(), "GET " + path, "Authorization: Bearer r\r\n", "");
    assertThat(answer.status()).as(answer.body()).isIn(400, 404);
    assertThat(answer.headers()).containsEntry("content-type", "application/problem+json");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/page/..%2fmetrics", "/page/..%2f..%2fsessions", "/page/../metrics"})
  void pathOfTheFiles_leadsPastNoToken(String path) throws Exception {
    RawHttp answer = RawHttp.get(server.port(), path);
    assertThat(answer.status()).as(answer.body()).isIn(400, 401, 404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/page/page.js", "/sessiontree.js", "/sessiontree.d.ts"})
  void otherMethod_isNotAllowed(String path) throws Exception {
    HttpAnswer answer = HttpAnswer.post(server, path, "x", "Authorization", "Bearer w");
    assertThat(answer.status()).isEqualTo(405);
    assertThat(answer.headers()).containsEntry("allow", "GET, HEAD");
    assertThat(answer.body()).contains("method_not_allowed");
  }
}
