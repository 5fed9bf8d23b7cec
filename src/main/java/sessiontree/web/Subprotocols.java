package sessiontree.web;

import java.util.List;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;

/**
 * The WebSocket subprotocols that a client offers (RFC 6455, section 1.9): one is what a stream
 * speaks, and one may carry a token, as a browser can set no other header.
 */
final class Subprotocols {
  private static final String SESSIONTREE = "sessiontree";
  private static final String BEARER = "bearer.";

  private Subprotocols() {}

  /** Accepts {@code sessiontree} where it is offered; others are never echoed. */
  static void accept(HttpFields request, HttpFields.Mutable response) {
    if (offered(request).contains(SESSIONTREE)) {
      response.put(HttpHeader.SEC_WEBSOCKET_SUBPROTOCOL, SESSIONTREE);
    }
  }

  /** The tokens among what is offered. */
  static List<String> tokens(HttpFields request) {
    return offered(request).stream()
        .filter(offer -> offer.startsWith(BEARER))
        .map(offer -> offer.substring(BEARER.length()))
        .toList();
  }

  private static List<String> offered(HttpFields request) {
    return request.getCSV(HttpHeader.SEC_WEBSOCKET_SUBPROTOCOL, false);
  }
}
