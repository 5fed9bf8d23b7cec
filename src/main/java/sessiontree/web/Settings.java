package sessiontree.web;

import java.time.Duration;
import java.util.List;

/**
 * How the server listens, which requests it allows, and how much it takes.
 *
 * @param port 0 for any that is free
 * @param maxMessageBytes of one message, as a WebSocket message or a request's body
 * @param maxInFlightBytes that all clients together have sent, and that have no result; at it
 *     nobody is read from
 * @param maxConnections at a time
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
   * @param writeTokens that stream and post; empty if everybody may
   * @param readTokens that read and list; empty if everybody may
   * @param adminTokens that do all that, and delete; if empty, everybody deletes while there is no
   *     token at all, and nobody otherwise
   * @param jwts that do what their scope says; where a key is set, nobody reads or writes without a
   *     token
   * @param allowedOrigins of pages that browsers show, besides the server's own; {@code *} for all
   * @param allowedHosts by whose names a server without tokens is reached too; {@code *} for all
   */
  public record Access(
      List<String> writeTokens,
      List<String> readTokens,
      List<String> adminTokens,
      Jwts jwts,
      List<String> allowedOrigins,
      List<String> allowedHosts) {

    /** Without tokens, so that a record can be shown. */
    @Override
    public String toString() {
      return "origins " + allowedOrigins;
    }
  }
}
