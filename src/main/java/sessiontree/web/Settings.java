package sessiontree.web;

import java.time.Duration;
import java.util.List;

/**
 * How the server listens, to whom, and how much it takes.
 *
 * @param port 0 for any that is free
 * @param maxMessageBytes of one message, as a WebSocket message or a request's body
 * @param maxInflowBytes that all clients together have sent, and that are not answered; at it
 *     nobody is read from
 * @param maxOutflowBytes of trees that are in memory to be sent to all clients; beyond it they wait
 *     their turn
 * @param maxConnections at a time
 * @param patience how long a request's head may take, and its body if it is small
 * @param writeToken that streams and posts; null if everybody may
 * @param readToken that reads, lists and deletes; null if everybody may
 * @param allowedOrigins of pages that browsers show, besides the server's own; {@code *} for all
 */
public record Settings(
    String host,
    int port,
    int maxMessageBytes,
    long maxInflowBytes,
    long maxOutflowBytes,
    int maxConnections,
    Duration patience,
    String writeToken,
    String readToken,
    List<String> allowedOrigins) {

  /** Without tokens, so that a record can be shown. */
  @Override
  public String toString() {
    return host + ":" + port;
  }
}
