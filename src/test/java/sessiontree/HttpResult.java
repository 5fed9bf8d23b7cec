package sessiontree;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;

/**
 * An HTTP response, whichever client received it.
 *
 * @param headers values by lower-case name
 * @param body with its content coding removed
 */
record HttpResult(int status, Map<String, String> headers, String body) {
  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  static HttpResult of(RawHttp response) {
    return new HttpResult(response.status(), response.headers(), response.body());
  }

  /**
   * Sends a request without a body.
   *
   * @param headers alternating names and values
   */
  static HttpResult send(JarServer server, String method, String path, String... headers)
      throws IOException, InterruptedException {
    return send(server, method, path, BodyPublishers.noBody(), headers);
  }

  static HttpResult post(JarServer server, String path, String body, String... headers)
      throws IOException, InterruptedException {
    return send(server, "POST", path, BodyPublishers.ofString(body), headers);
  }

  private static HttpResult send(
      JarServer server, String method, String path, BodyPublisher body, String... headers)
      throws IOException, InterruptedException {
    HttpRequest.Builder request = HttpRequest.newBuilder(server.uri(path)).method(method, body);
    if (headers.length > 0) {
      request.headers(headers);
    }
    HttpResponse<byte[]> response = HTTP.send(request.build(), BodyHandlers.ofByteArray());
    Map<String, String> named = new TreeMap<>();
    response.headers().map().forEach((name, values) -> named.put(name, String.join(", ", values)));
    boolean gzip = "gzip".equals(named.get("content-encoding"));
    return new HttpResult(
        response.statusCode(), named, gzip ? gunzip(response.body()) : utf8(response.body()));
  }

  private static String gunzip(byte[] bytes) {
    if (bytes.length == 0) { // in response to HEAD
      return "";
    }
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
      return utf8(in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("invalid gzip body", e);
    }
  }

  private static String utf8(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
