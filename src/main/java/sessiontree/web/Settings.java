package sessiontree.web;

import java.time.Duration;
import java.util.List;

/**
 * Settings of the server: address, limits, and which requests are allowed.
 *
 * @param port 0 for any free port
 * @param maxMessageBytes maximum size of a message, whether a WebSocket message or a request's body
 * @param maxInFlightBytes bound on the bytes that all clients together have sent and that have no
 *     result yet; at the bound the server stops reading
 * @param maxConnections maximum number of connections at a time
 * @param requestTimeout how long a request's head may take, and its body if it is small
 * @param access which requests are allowed
 */
public record Settings(
    String host,
    int port,
    int maxMessageBytes,
    long maxInFlightBytes,
    int maxConnections,
    Duration requestTimeout,
    Access access) {

  /**
   * Which requests are allowed.
   *
   * @param writeTokens tokens that allow streaming and posting; if empty, everybody may
   * @param readTokens tokens that allow reading and listing; if empty, everybody may
   * @param adminTokens tokens that allow all of that, and deleting; if empty, everybody may delete
   *     while there are no tokens at all, and nobody otherwise
   * @param jwts JWTs, which allow what their scope says; if a key is set, nobody reads or writes
   *     without a token
   * @param allowedOrigins origins of pages that may use the server from a browser, besides its own;
   *     {@code *} for all
   * @param allowedHosts further host names by which a server without tokens may be reached; {@code
   *     *} for all
   */
  public record Access(
      List<String> writeTokens,
      List<String> readTokens,
      List<String> adminTokens,
      Jwts jwts,
      List<String> allowedOrigins,
      List<String> allowedHosts) {

    /** Omits the tokens, so that the settings can be logged. */
    @Override
    public String toString() {
      return "origins " + allowedOrigins;
    }
  }
}
