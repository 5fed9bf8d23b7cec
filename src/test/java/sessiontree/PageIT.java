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

  private static HttpResult get(String path, String... headers) throws Exception {
    return HttpResult.send(server, "GET", path, headers);
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
      HttpResult response = get(path, "Accept-Encoding", coding);
      assertThat(response.status()).isEqualTo(200);
      assertThat(response.body()).isEqualTo(text);
      assertThat(response.headers().get("content-type").replace(" ", ""))
          .isEqualTo(type + ";charset=utf-8");
      assertThat(response.headers())
          .containsEntry("cache-control", "no-cache")
          .containsEntry("x-content-type-options", "nosniff");
      assertThat(response.headers().get("vary")).contains("Accept-Encoding");
      assertThat(response.headers().containsKey("content-encoding"))
          .as("compressed only from 2 KiB")
          .isEqualTo(coding.equals("gzip") && text.length() >= 2 << 10);

      HttpResult head = HttpResult.send(server, "HEAD", path, "Accept-Encoding", coding);
      assertThat(head.status()).isEqualTo(200);
      assertThat(head.body()).isEmpty();
      assertThat(head.headers())
          .containsEntry("etag", response.headers().get("etag"))
          .containsEntry("content-length", response.headers().get("content-length"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/page/page.js", "/sessiontree.js", "/sessiontree.d.ts"})
  void copyThatIsStillRight_isNotSentAgain(String path) throws Exception {
    for (String coding : List.of("identity", "gzip")) {
      String tag = get(path, "Accept-Encoding", coding).headers().get("etag");
      assertThat(tag).matches("\"[^\"]+\"");
      for (String known : List.of(tag, "W/" + tag, "\"other\", " + tag, "*")) {
        HttpResult response = get(path, "Accept-Encoding", coding, "If-None-Match", known);
        assertThat(response.status()).as(known).isEqualTo(304);
        assertThat(response.body()).isEmpty();
        assertThat(response.headers())
            .containsEntry("etag", tag)
            .containsEntry("cache-control", "no-cache")
            .doesNotContainKey("content-length"); // it would be the file's length
        assertThat(response.headers().get("vary")).contains("Accept-Encoding");
      }
      assertThat(get(path, "Accept-Encoding", coding, "If-None-Match", "\"other\"").status())
          .isEqualTo(200);
    }
  }

  @Test
  void codings_haveTagsOfTheirOwn() throws Exception {
    HttpResult plain = get("/sessiontree.js", "Accept-Encoding", "identity");
    HttpResult gzip = get("/sessiontree.js", "Accept-Encoding", "gzip");
    if (gzip.headers().containsKey("content-encoding")) {
      assertThat(gzip.headers().get("etag")).isNotEqualTo(plain.headers().get("etag"));
    }
  }

  @Test
  void page_runsOnlyTheServersOwnScripts_inNoFrame_andSendsNoReferrer() throws Exception {
    for (HttpResult response : List.of(get("/"), get("/", "If-None-Match", "*"))) {
      assertThat(response.headers().get("content-security-policy"))
          .contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
          .doesNotContain("unsafe");
      assertThat(response.headers()).containsEntry("referrer-policy", "no-referrer");
    }
    assertThat(Files.readString(FILES.resolve("index.html")))
        .as("what the policy would block")
        .doesNotContain("style=\"", "<style", "javascript:")
        .doesNotContainPattern("<script(?![^>]* src=)")
        .doesNotContainPattern(" on[a-z]+=");
  }

  @Test
  void pageOfAnAllowedOrigin_importsTheClient_andNoOther() throws Exception {
    HttpResult allowed = get("/sessiontree.js", "Origin", ORIGIN);
    assertThat(allowed.status()).isEqualTo(200);
    assertThat(allowed.headers()).containsEntry("access-control-allow-origin", ORIGIN);
    HttpResult other = get("/sessiontree.js", "Origin", "https://other.example");
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
    RawHttp response =
        RawHttp.send(server.port(), "GET " + path, "Authorization: Bearer r\r\n", "");
    assertThat(response.status()).as(response.body()).isIn(400, 404);
    assertThat(response.headers()).containsEntry("content-type", "application/problem+json");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/page/..%2fmetrics", "/page/..%2f..%2fsessions", "/page/../metrics"})
  void pathOfTheFiles_leadsPastNoToken(String path) throws Exception {
    RawHttp response = RawHttp.get(server.port(), path);
    assertThat(response.status()).as(response.body()).isIn(400, 401, 404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/page/page.js", "/sessiontree.js", "/sessiontree.d.ts"})
  void otherMethod_isNotAllowed(String path) throws Exception {
    HttpResult response = HttpResult.post(server, path, "x", "Authorization", "Bearer w");
    assertThat(response.status()).isEqualTo(405);
    assertThat(response.headers()).containsEntry("allow", "GET, HEAD");
    assertThat(response.body()).contains("method_not_allowed");
  }
}
