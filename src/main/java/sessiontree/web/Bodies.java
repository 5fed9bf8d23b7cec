package sessiontree.web;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.zip.GZIPInputStream;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpChannel;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.RunningClock;

/**
 * Reads the whole body of each POST before the request reaches its route, so that a slow client
 * occupies no thread. The route gets the body as a request attribute. The bytes received, not those
 * announced, count among the in-flight bytes of all connections; at the bound, bodies wait their
 * turn as streams do. Safe for several threads.
 *
 * <p>Jetty's EagerContentHandler would keep the buffer of each read: several KiB for each byte of a
 * body that trickles in. Its MinimumDataRateHandler gives a client no time to begin.
 */
final class Bodies extends Handler.Wrapper {
  /** The attribute of the request that holds the body's bytes, decoded. */
  static final String BODY = "sessiontree.body";

  /** The attribute that holds the nanoseconds for which the body waited for room: a Long. */
  static final String WAITED = "sessiontree.waited";

  static final byte[] NONE = new byte[0];

  /** Minimum average rate at which a client must have sent, once the request timeout has passed. */
  private static final long MIN_BYTES_A_SECOND = 1 << 10;

  private static final Set<String> GZIP = Set.of("gzip", "x-gzip");

  private final InFlight inFlight;
  private final int maxMessageBytes;
  private final long timeoutNanos;
  private final RunningClock time;
  private final CounterDataPoint slow;
  private final Set<Body> reading = ConcurrentHashMap.newKeySet();
  private volatile boolean closing;

  Bodies(
      InFlight inFlight,
      int maxMessageBytes,
      Duration timeout,
      RunningClock time,
      Metrics metrics) {
    this.inFlight = inFlight;
    this.maxMessageBytes = maxMessageBytes;
    this.timeoutNanos = timeout.toNanos();
    this.time = time;
    this.slow = metrics.connectionsDropped.labelValues("slow_body");
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    if (!HttpMethod.POST.is(request.getMethod()) || !hasBody(request)) {
      return super.handle(request, response, callback);
    }
    try {
      if (request.getLength() > maxMessageBytes) {
        throw Problems.tooBig(maxMessageBytes);
      }
      Body body = new Body(request, response, callback, isGzip(request));
      request.addIdleTimeoutListener(idle -> false); // the client is not slow while it is not read
      Request.addCompletionListener(request, failure -> body.completed());
      reading.add(body);
      body.run();
    } catch (ProblemException e) {
      Problems.respond(response, callback, e);
    }
    return true;
  }

  static boolean hasBody(Request request) {
    return request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING) || request.getLength() > 0;
  }

  private static boolean isGzip(Request request) throws ProblemException {
    List<String> codings =
        request.getHeaders().getCSV(HttpHeader.CONTENT_ENCODING, false).stream()
            .map(coding -> coding.toLowerCase(Locale.ROOT))
            .filter(coding -> !coding.equals("identity"))
            .toList();
    if (codings.size() > 1 || !GZIP.containsAll(codings)) {
      throw new ProblemException(
          Problem.UNSUPPORTED_ENCODING,
          "send the body uncompressed or with Content-Encoding: gzip");
    }
    return !codings.isEmpty();
  }

  private ProblemException unavailable() {
    String why = closing ? "the server is stopping" : "too many bytes are waiting to be stored";
    return new ProblemException(
        Problem.STORAGE_UNAVAILABLE, why + "; nothing of this message was stored");
  }

  private boolean passOn(Request request, Response response, Callback callback) throws Exception {
    return super.handle(request, response, callback);
  }

  /** Refuses the bodies that are not complete at the next tick, and from then on. */
  void shutDown() {
    closing = true;
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    for (Body body : reading) {
      body.tick(nowNanos);
    }
  }

  private enum State {
    READING,
    /** Waiting for room among the in-flight bytes. */
    BLOCKED,
    /** Complete, refused or aborted. */
    READ
  }

  /** A body that is being read, by one thread at a time. */
  private final class Body implements Runnable, InFlight.Reader {
    private final Request request;
    private final Response response;
    private final Callback callback;
    private final boolean gzip;

    // Owned by the reading thread.
    private final PartialMessage bytes = new PartialMessage();

    // All guarded by this.
    private State state = State.READING;
    private final long sinceNanos = time.nanos();
    private long blockedAtNanos;
    private long blockedNanos; // in which the server did not read, so the client was not slow
    private boolean admitted; // may read once more, ahead of other waiting readers
    private long received;
    private long counted; // in-flight bytes for the partial body
    private long messageBytes; // in-flight bytes for the complete body

    Body(Request request, Response response, Callback callback, boolean gzip) {
      this.request = request;
      this.response = response;
      this.callback = callback;
      this.gzip = gzip;
    }

    @Override
    public void run() {
      while (mayRead()) {
        Content.Chunk chunk = request.read();
        if (chunk == null) {
          request.demand(this);
          break;
        }
        if (Content.Chunk.isFailure(chunk)) {
          fail(chunk.getFailure());
          break;
        }
        boolean last = chunk.isLast();
        bytes.add(chunk.getByteBuffer());
        chunk.release();
        setCounted(bytes.allocated());
        if (bytes.length() > maxMessageBytes) {
          refuse(Problems.tooBig(maxMessageBytes));
        } else if (last) {
          handle();
        }
      }
      inFlight.admitNext();
    }

    private synchronized boolean mayRead() {
      if (state == State.READING && !admitted && !inFlight.mayRead(this, bytes.length() > 0)) {
        state = State.BLOCKED;
        blockedAtNanos = time.nanos();
      }
      return state == State.READING;
    }

    @Override
    public boolean admit() {
      synchronized (this) {
        if (state != State.BLOCKED) {
          return false;
        }
        state = State.READING;
        blockedNanos += time.nanos() - blockedAtNanos;
        admitted = true;
      }
      request.getComponents().getExecutor().execute(this);
      return true;
    }

    private synchronized void setCounted(long held) {
      admitted = false;
      received = bytes.length();
      inFlight.add(held - counted);
      counted = held;
    }

    /** Ends reading, with the size of the message or 0. Returns false if already ended. */
    private boolean end(long messageBytes) {
      synchronized (this) {
        if (state == State.READ) {
          return false;
        }
        state = State.READ;
        this.messageBytes = messageBytes;
        inFlight.addMessage(messageBytes);
      }
      reading.remove(this);
      inFlight.forget(this);
      inFlight.endExemption(this);
      return true;
    }

    /** Frees the partial body, long before a client that sends no more has its response. */
    private void free() {
      bytes.clear();
      setCounted(0);
    }

    private void handle() {
      try {
        byte[] body = gzip ? inflated() : Arrays.copyOf(bytes.array(), bytes.length());
        if (end(body.length)) {
          free();
          request.setAttribute(BODY, body);
          request.setAttribute(WAITED, waited());
          passOn(request, response, callback);
        }
      } catch (ProblemException e) {
        refuse(e);
      } catch (Exception e) {
        Response.writeError(request, response, callback, e);
      }
    }

    private synchronized long waited() {
      return blockedNanos;
    }

    private byte[] inflated() throws ProblemException {
      long needed = 3L * maxMessageBytes; // for the inflated body, and the pieces it is read in
      if (!inFlight.borrow(needed)) {
        throw unavailable();
      }
      try (GZIPInputStream in =
          new GZIPInputStream(new ByteArrayInputStream(bytes.array(), 0, bytes.length()))) {
        byte[] body = in.readNBytes(maxMessageBytes + 1);
        if (body.length > maxMessageBytes) {
          throw Problems.tooBig(maxMessageBytes);
        }
        return body;
      } catch (IOException | StackOverflowError e) { // the JDK recurses once for each empty member
        throw new ProblemException(Problem.INVALID_JSON, "the body is not complete gzip data");
      } finally {
        inFlight.subtract(needed);
      }
    }

    private void refuse(ProblemException problem) {
      if (end(0)) {
        free();
        Problems.respond(response, callback, problem);
      }
    }

    private void fail(Throwable cause) {
      if (cause instanceof TimeoutException) {
        response.getHeaders().put(HttpHeader.CONNECTION, "close");
        if (closing) {
          refuse(unavailable());
        } else {
          slow.inc();
          refuse(new ProblemException(Problem.REQUEST_TIMEOUT, "the body did not come in time"));
        }
      } else if (end(0)) { // the client disconnected, or sent invalid HTTP
        callback.failed(cause);
      }
    }

    void tick(long nowNanos) {
      boolean waited;
      boolean late;
      synchronized (this) {
        long nanos = nowNanos - sinceNanos;
        waited = state == State.BLOCKED && (closing || nanos > inFlight.messageNanos());
        late = state == State.READING && (closing || nanos - blockedNanos > allowedNanos());
      }
      if (waited && end(0)) {
        Problems.respond(response, callback, unavailable());
      } else if (late) {
        drop();
      }
    }

    /** Guarded by this. */
    private long allowedNanos() {
      long nanos = timeoutNanos + received * 1_000_000_000 / MIN_BYTES_A_SECOND;
      long messageNanos = inFlight.messageNanos();
      return Math.min(
          nanos, inFlight.isScarce() ? messageNanos : Math.max(messageNanos, timeoutNanos));
    }

    /**
     * Fails the read that waits for content, as an idle timeout does, so that the thread that reads
     * ends reading. Has no effect while no read waits.
     */
    @Override
    public void drop() {
      Runnable failRead = null;
      synchronized (this) { // otherwise the channel may have another request already
        if (state == State.READING) {
          HttpChannel channel = HttpChannel.from(request);
          failRead = channel.onIdleTimeout(new TimeoutException("the body is too slow")).action();
        }
      }
      if (failRead != null) {
        request.getComponents().getExecutor().execute(failRead);
      }
    }

    /** Called when the request has its response, or has failed. */
    void completed() {
      end(0);
      setCounted(0);
      long responded;
      synchronized (this) {
        responded = messageBytes;
        messageBytes = 0;
      }
      inFlight.subtractMessages(responded);
    }
  }
}
