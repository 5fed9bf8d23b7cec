package sessiontree.web;

import java.util.List;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;

/**
 * The WebSocket subprotocols that a client offers (RFC 6455, section 1.9). One is the protocol of a
 * stream; another may carry a token, as a page in a browser can set no other header.
 */
final class Subprotocols {
  private static final String SESSIONTREE = "sessiontree";
  private static final String BEARER = "bearer.";

  private Subprotocols() {}

  /** Accepts {@code sessiontree} if it is offered; never echoes another. */
  static void accept(HttpFields request, HttpFields.Mutable response) {
    if (offered(request).contains(SESSIONTREE)) {
      response.put(HttpHeader.SEC_WEBSOCKET_SUBPROTOCOL, SESSIONTREE);
    }
  }

  /** Returns the tokens among the offered subprotocols. */
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
