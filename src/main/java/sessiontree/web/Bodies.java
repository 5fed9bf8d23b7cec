package sessiontree.web;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;

/**
 * Reads each request's body before anything else is done with it, so that a slow client holds no
 * thread: if it is not too big, there is room for it beside all that is received and not answered,
 * and it comes in reasonable time. Routes find it as an attribute of the request.
 */
final class Bodies extends Handler.Wrapper {
  /** The attribute of the request that holds the body's bytes. */
  static final String BODY = "sessiontree.body";

  static final byte[] NONE = new byte[0];

  /** After its first patience, a client must send so much in a second on average. */
  private static final long MIN_BYTES_A_SECOND = 1 << 10;

  private final Inflow inflow;
  private final int maxMessageBytes;
  private final long patienceNanos;
  private final RunningClock time;
  private final CounterDataPoint slow;
  private final Set<Body> reading = ConcurrentHashMap.newKeySet();

  Bodies(
      Inflow inflow, int maxMessageBytes, Duration patience, RunningClock time, Metrics metrics) {
    this.time = time;
    this.inflow = inflow;
    this.maxMessageBytes = maxMessageBytes;
    this.patienceNanos = patience.toNanos();
    this.slow = metrics.connectionsDropped.labelValues("slow_body");
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    if (!hasBody(request)) {
      return super.handle(request, response, callback);
    }
    long bytes =
        isChunked(request) ? maxMessageBytes : Math.min(request.getLength(), maxMessageBytes);
    if (request.getLength() > maxMessageBytes) {
      Problems.answer(response, callback, tooBig());
    } else if (!inflow.tryAdd(bytes)) {
      Problems.answer(
          response,
          callback,
          new ProblemException(
              Problem.STORAGE_UNAVAILABLE, "too much is received and not stored yet; try again"));
    } else {
      Request.addCompletionListener(request, failure -> inflow.subtract(bytes));
      Body body = new Body(request, response, callback);
      reading.add(body);
      body.run();
    }
    return true;
  }

  static boolean hasBody(Request request) {
    return isChunked(request) || request.getLength() > 0;
  }

  private static boolean isChunked(Request request) {
    return request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
  }

  private ProblemException tooBig() {
    return new ProblemException(
        Problem.MESSAGE_TOO_BIG,
        "a message has at most " + maxMessageBytes + " bytes; this one has more");
  }

  private boolean handleRead(Request request, Response response, Callback callback)
      throws Exception {
    return super.handle(request, response, callback);
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    for (Body body : reading) {
      body.dropIfSlow(nowNanos);
    }
  }

  /** A body that is being read. */
  private final class Body implements Runnable {
    private final Request request;
    private final Response response;
    private final Callback callback;
    private final long sinceNanos = time.nanos();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private volatile long received;

    Body(Request request, Response response, Callback callback) {
      this.request = request;
      this.response = response;
      this.callback = callback;
    }

    void dropIfSlow(long nowNanos) {
      long allowedNanos = patienceNanos + received * 1_000_000_000 / MIN_BYTES_A_SECOND;
      if (nowNanos - sinceNanos > allowedNanos) {
        slow.inc();
        request.getConnectionMetaData().getConnection().getEndPoint().close();
      }
    }

    @Override
    public void run() {
      for (boolean last = false; !last; ) {
        Content.Chunk chunk = request.read();
        if (chunk == null) {
          request.demand(this);
          return;
        }
        if (Content.Chunk.isFailure(chunk)) { // it broke off, or is no HTTP
          reading.remove(this);
          callback.failed(chunk.getFailure());
          return;
        }
        last = chunk.isLast();
        add(chunk);
        if (received > maxMessageBytes) {
          reading.remove(this);
          Problems.answer(response, callback, tooBig());
          return;
        }
      }
      reading.remove(this);
      request.setAttribute(BODY, bytes.toByteArray());
      try {
        handleRead(request, response, callback);
      } catch (Exception e) {
        Response.writeError(request, response, callback, e);
      }
    }

    private void add(Content.Chunk chunk) {
      ByteBuffer source = chunk.getByteBuffer();
      byte[] part = new byte[source.remaining()];
      source.get(part);
      bytes.writeBytes(part);
      received = bytes.size();
      chunk.release();
    }
  }
}
