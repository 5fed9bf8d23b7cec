package sessiontree.web;

import io.javalin.http.Context;
import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.metrics.Metrics;

/**
 * Writes the bodies of Javalin's responses; Javalin itself would block a thread until the client
 * has read them. A route sets the body, and when the route is done the whole body is written
 * asynchronously. The bodies that clients have not read yet are bounded: at the bound, the clients
 * whose responses are the oldest are cut off. Safe for several threads.
 */
final class Responses extends Handler.Wrapper {
  static final String JSON = "application/json";

  /** The attribute of a request that holds the body of its response. */
  private static final String BODY = "sessiontree.response";

  /** Shorter bodies are neither compressed nor counted. */
  private static final int SMALL_BYTES = 2 << 10;

  private final long maxPendingBytes;
  private final CounterDataPoint slow;

  // Both guarded by pending: the responses being written, oldest first, with their sizes in bytes.
  private final Map<Request, Integer> pending = new LinkedHashMap<>();
  private long pendingBytes;

  /** A body that its responses share; {@code gzip} is null if it was not compressed in advance. */
  record Body(byte[] plain, byte[] gzip) {
    static Body of(byte[] plain) {
      return new Body(plain, plain.length < SMALL_BYTES ? null : Gzip.of(plain));
    }
  }

  Responses(long maxPendingBytes, Metrics metrics) {
    this.maxPendingBytes = maxPendingBytes;
    this.slow = metrics.connectionsDropped.labelValues("slow_reader");
  }

  /** Sets a body that is compressed if the client accepts gzip. */
  static void set(Context ctx, String contentType, byte[] body) {
    set(ctx, contentType, new Body(body, null));
  }

  /** Sets a shared body; its compressed form, if any, is sent if the client accepts gzip. */
  static void set(Context ctx, String contentType, Body body) {
    ctx.res().addHeader("Vary", "Accept-Encoding"); // besides the Origin of Cors
    ctx.contentType(contentType).attribute(BODY, body);
  }

  /** Sets a short body, which is never compressed. */
  static void setShort(Context ctx, String contentType, byte[] body) {
    ctx.contentType(contentType).attribute(BODY, body);
  }

  /**
   * Ends a response without a body, for which Jetty must not send {@code Content-Length: 0}. It
   * writes, and does not only complete the callback: if the response is still unsent then, and the
   * thread is not the one that read the request, Jetty may complete the next request as well.
   */
  static void endWithoutLength(Response response, Callback callback) {
    response.write(
        false, null, Callback.from(() -> response.write(true, null, callback), callback::failed));
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    return super.handle(request, new BodyResponse(request, response), callback);
  }

  /** A response that writes the body in place of the route's only write, an empty last one. */
  private final class BodyResponse extends Response.Wrapper {
    BodyResponse(Request request, Response response) {
      super(request, response);
    }

    @Override
    public void write(boolean last, ByteBuffer part, Callback callback) {
      Object set = last ? getRequest().removeAttribute(BODY) : null;
      if (set instanceof Body body) {
        writeBody(body, callback);
      } else if (last && getStatus() == 304) {
        endWithoutLength(getWrapped(), callback);
      } else {
        super.write(last, set == null ? part : ByteBuffer.wrap((byte[]) set), callback);
      }
    }

    private void writeBody(Body body, Callback callback) {
      byte[] bytes = body.plain;
      if (bytes.length >= SMALL_BYTES && Gzip.isAccepted(getRequest().getHeaders())) {
        bytes = body.gzip == null ? Gzip.of(bytes) : body.gzip;
        getHeaders().put(HttpHeader.CONTENT_ENCODING, "gzip");
      }
      boolean counts = body.gzip == null && bytes.length >= SMALL_BYTES;
      if (counts) {
        begin(getRequest(), bytes.length);
      }
      super.write(
          true, ByteBuffer.wrap(bytes), counts ? Callback.from(this::end, callback) : callback);
    }

    private void end() {
      Responses.this.end(getRequest());
    }
  }

  private void begin(Request request, int bytes) {
    List<Request> dropped = new ArrayList<>();
    synchronized (pending) {
      Iterator<Map.Entry<Request, Integer>> oldest = pending.entrySet().iterator();
      while (pendingBytes + bytes > maxPendingBytes && oldest.hasNext()) {
        Map.Entry<Request, Integer> one = oldest.next();
        pendingBytes -= one.getValue();
        dropped.add(one.getKey());
        oldest.remove();
      }
      pending.put(request, bytes);
      pendingBytes += bytes;
    }
    slow.inc(dropped.size());
    dropped.forEach(one -> one.getConnectionMetaData().getConnection().getEndPoint().close());
  }

  private void end(Request request) {
    synchronized (pending) {
      Integer bytes = pending.remove(request);
      pendingBytes -= bytes == null ? 0 : bytes;
    }
  }
}
