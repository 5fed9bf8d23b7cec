package sessiontree.web;

import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.internal.HttpConnection;

/**
 * Factory of HTTP/1.1 connections that ignore an {@code Upgrade} without {@code Connection:
 * upgrade}, as RFC 9110, section 7.8, allows. Proxies that do not forward hop-by-hop headers
 * produce such requests, which Jetty would refuse with 400. The number of header fields is bounded
 * too: a field of two bytes takes fifty while the request waits.
 */
final class HttpConnections extends HttpConnectionFactory {
  private static final int MAX_FIELDS = 100;

  HttpConnections(HttpConfiguration http) {
    super(http);
  }

  @Override
  public Connection newConnection(Connector connector, EndPoint endPoint) {
    HttpConnection connection = new LenientConnection(getHttpConfiguration(), connector, endPoint);
    connection.setTransferEncodingChunkMaxLength(getTransferEncodingChunkMaxLength());
    return configure(connection, connector, endPoint);
  }

  private static final class LenientConnection extends HttpConnection {
    LenientConnection(HttpConfiguration http, Connector connector, EndPoint endPoint) {
      super(http, connector, endPoint);
    }

    @Override
    protected RequestHandler newRequestHandler() {
      return new LenientRequestHandler();
    }

    /** Passes {@code Upgrade} on last, and only if {@code Connection} asks for an upgrade. */
    private final class LenientRequestHandler extends RequestHandler {
      // All owned by the parsing thread.
      private HttpField upgrade;
      private boolean isAsked;
      private int fields;

      @Override
      public void parsedHeader(HttpField field) {
        fields++;
        if (fields > MAX_FIELDS) {
          throw new HttpException.RuntimeException(
              HttpStatus.REQUEST_HEADER_FIELDS_TOO_LARGE_431,
              "more than " + MAX_FIELDS + " header fields");
        }
        if (field.getHeader() == HttpHeader.UPGRADE) {
          upgrade = field;
          return;
        }
        isAsked |= field.getHeader() == HttpHeader.CONNECTION && field.contains("upgrade");
        super.parsedHeader(field);
      }

      @Override
      public boolean headerComplete() {
        HttpField asked = isAsked ? upgrade : null;
        upgrade = null;
        isAsked = false;
        fields = 0;
        if (asked != null) {
          super.parsedHeader(asked);
        }
        return super.headerComplete();
      }
    }
  }
}
