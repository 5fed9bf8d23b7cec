package sessiontree;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * A response to a request that is sent as written, in forms that no client library would send.
 *
 * @param headers values by lower-case name
 */
record RawHttp(int status, Map<String, String> headers, String body) {
  private static final int DEADLINE_MILLIS = 60_000;

  static final String UPGRADE =
      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
          + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

  /**
   * Sends a request, reads the whole response, and closes the connection.
   *
   * @param requestLine such as {@code GET /health}
   * @param headers header lines, each with its line end
   */
  static RawHttp send(int port, String requestLine, String headers, String body)
      throws IOException {
    String closing = headers.contains("Connection:") ? "" : "Connection: close\r\n";
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    String length = bytes.length == 0 ? "" : "Content-Length: " + bytes.length + "\r\n";
    String head = requestLine + " HTTP/1.1\r\nHost: localhost\r\n" + closing + length + headers;
    try (Socket socket = open(port)) {
      socket.getOutputStream().write((head + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
      socket.getOutputStream().write(bytes);
      return read(socket, !requestLine.startsWith("HEAD "));
    }
  }

  /** Sends these bytes and reads one response. The request should ask to close the connection. */
  static RawHttp exchange(int port, String request) throws IOException {
    try (Socket socket = open(port)) {
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      return read(socket, !request.startsWith("HEAD "));
    }
  }

  /** Opens a connection on which the test itself writes requests and reads responses. */
  static Socket open(int port) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(DEADLINE_MILLIS);
    return socket;
  }

  static RawHttp get(int port, String path) throws IOException {
    return send(port, "GET " + path, "", "");
  }

  static RawHttp post(int port, String path, String body) throws IOException {
    return send(port, "POST " + path, "", body);
  }

  /** Requests a WebSocket, and closes the connection once the response has been read. */
  static RawHttp upgrade(int port, String path) throws IOException {
    return send(port, "GET " + path, UPGRADE, "");
  }

  /** Reads one response, and no byte after it. */
  static RawHttp read(Socket socket) throws IOException {
    return read(socket, true);
  }

  private static RawHttp read(Socket socket, boolean hasBody) throws IOException {
    String statusLine = line(socket);
    int status = Integer.parseInt(statusLine.split(" ")[1]);
    Map<String, String> headers = new TreeMap<>();
    for (String line; !(line = line(socket)).isEmpty(); ) {
      int colon = line.indexOf(':');
      headers.merge(
          line.substring(0, colon).toLowerCase(Locale.ROOT),
          line.substring(colon + 1).trim(),
          (one, other) -> one + ", " + other);
    }
    String length = headers.get("content-length");
    byte[] body = new byte[0];
    if (length != null && hasBody) {
      body = socket.getInputStream().readNBytes(Integer.parseInt(length));
      if (body.length < Integer.parseInt(length)) {
        throw new IOException("response truncated after " + body.length + " bytes");
      }
    } else if (status >= 200 && status != 204 && status != 304) {
      body = socket.getInputStream().readAllBytes();
    }
    return new RawHttp(status, headers, new String(body, StandardCharsets.UTF_8));
  }

  private static String line(Socket socket) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int b; (b = socket.getInputStream().read()) != '\n'; ) {
      if (b < 0) {
        throw new IOException("response headers truncated: " + line);
      }
      line.append((char) b);
    }
    return line.toString().strip();
  }
}
