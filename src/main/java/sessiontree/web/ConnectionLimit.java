package sessiontree.web;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.RunningClock;

/**
 * Counts connections, refuses those over the limit, and closes those whose request head takes
 * longer than the request timeout. These are closed without a response, as there is no request yet.
 * Safe for several threads.
 */
final class ConnectionLimit extends Handler.Wrapper implements Connection.Listener {
  /** How long no request must be pending before the server stops with connections open. */
  private static final long QUIET_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final int max;
  private final long timeoutNanos;
  private final RunningClock time;
  private final RequestLog log;
  private final CounterDataPoint slow;
  private final CounterDataPoint excess;
  private final AtomicInteger count = new AtomicInteger();
  private final AtomicInteger requests = new AtomicInteger(); // those without a response
  private volatile boolean closing;
  private final Map<Connection, Head> heads = new ConcurrentHashMap<>();

  /** Tracks how long a connection takes for its next request's head. */
  private final class Head {
    private final boolean excess;

    // All guarded by this.
    private boolean inRequest;
    private long bytesBefore;
    private long sinceNanos = time.nanos();

    Head(boolean excess) {
      this.excess = excess;
    }

    synchronized void arrived() {
      inRequest = true;
    }

    synchronized void responded(long bytesIn) {
      inRequest = false;
      bytesBefore = bytesIn;
      sinceNanos = time.nanos();
    }

    synchronized boolean isSlow(long nowNanos, long bytesIn, long timeoutNanos) {
      if (inRequest || bytesIn == bytesBefore) { // idle connections are closed by Jetty
        sinceNanos = nowNanos;
        return false;
      }
      return nowNanos - sinceNanos > timeoutNanos;
    }
  }

  /**
   * Creates the handler, which must be in front of all others.
   *
   * @param max number of connections that are served; some more are refused with a response, and
   *     any beyond those are closed at once
   */
  ConnectionLimit(int max, Duration timeout, RunningClock time, Metrics metrics) {
    this.time = time;
    this.max = max;
    this.timeoutNanos = timeout.toNanos();
    this.log = new RequestLog(metrics);
    this.slow = metrics.connectionsDropped.labelValues("slow_head");
    this.excess = metrics.connectionsDropped.labelValues("too_many");
    metrics.gauge("connections", "Connections that are open, streams included.", count::get);
    metrics.gauge("connections_limit", "Connections that may be open.", () -> max);
  }

  int count() {
    return count.get();
  }

  @Override
  public void onOpened(Connection connection) {
    int open = count.incrementAndGet();
    if (open > max + max / 8 + 8) {
      excess.inc();
      connection.getEndPoint().close();
    } else if (!(connection instanceof Connection.UpgradeTo)
        || connection instanceof Connection.UpgradeFrom) { // HTTP, not WebSocket
      heads.put(connection, new Head(open > max));
    }
  }

  @Override
  public void onClosed(Connection connection) {
    count.decrementAndGet();
    heads.remove(connection);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    Route.match(request);
    Connection connection = request.getConnectionMetaData().getConnection();
    Head head = heads.get(connection);
    if (head == null) {
      return super.handle(request, response, callback);
    }
    long sinceNanos = System.nanoTime();
    head.arrived();
    requests.incrementAndGet();
    Request.addCompletionListener(
        request,
        failure -> {
          requests.decrementAndGet();
          head.responded(connection.getBytesIn());
          log.responded(request, response.getStatus(), System.nanoTime() - sinceNanos);
        });
    Callback whenRead = new DiscardRemainder(request, callback);
    if (head.excess) {
      response.getHeaders().put(HttpHeader.CONNECTION, "close");
      Problems.respond(
          response,
          whenRead,
          new ProblemException(
              Problem.TOO_MANY_CONNECTIONS, "the server allows at most " + max + " connections"));
      return true;
    }
    if (closing) {
      response.getHeaders().put(HttpHeader.CONNECTION, "close");
      Problems.respond(
          response,
          whenRead,
          new ProblemException(
              Problem.STORAGE_UNAVAILABLE,
              "the server is stopping; nothing was stored, try again"));
      return true;
    }
    return super.handle(request, response, whenRead);
  }

  /** Refuses all requests from now on; those received before still get their responses. */
  void refuseAll() {
    closing = true;
  }

  /**
   * Waits until all requests have their responses and none has come for a while, as some may have
   * been sent but not read yet. Returns at {@code untilNanos} at the latest.
   */
  void awaitResponses(long untilNanos) throws InterruptedException {
    long sinceNanos = System.nanoTime();
    for (long now = sinceNanos;
        !heads.isEmpty() && now - untilNanos < 0 && now - sinceNanos < QUIET_NANOS;
        now = System.nanoTime()) {
      if (requests.get() > 0) {
        sinceNanos = now;
      }
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    heads.forEach(
        (connection, head) -> {
          if (head.isSlow(nowNanos, connection.getBytesIn(), timeoutNanos)) {
            slow.inc();
            connection.getEndPoint().close();
          }
        });
  }
}
