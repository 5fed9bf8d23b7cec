package sessiontree.web;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.io.IOException;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;

/**
 * Handler of {@code GET} and {@code HEAD /sessions/{id}/live}, which sends a session as server-sent
 * events while it grows. Like {@link TreeHandler}, it runs in front of Javalin, so that no thread
 * waits for a client. Safe for several threads.
 */
final class Live extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(Live.class);
  private static final String LAST_EVENT_ID = "Last-Event-ID";

  /** Divisor of the heap that bounds the children that watchers have not read yet. */
  private static final int QUEUED_DIVISOR = 8;

  private final Set<LiveStream> streams = ConcurrentHashMap.newKeySet();
  private final AtomicLong queuedBytes = new AtomicLong();

  /** How many watchers hold each batch, which they share and which counts once. */
  private final Map<Batch, Integer> queued = new ConcurrentHashMap<>();

  private final long maxQueuedBytes = Runtime.getRuntime().maxMemory() / QUEUED_DIVISOR;
  private final SessionStore store;
  private final Sessions sessions;
  private final Executor snapshots;
  private final RunningClock time;
  private final CounterDataPoint slow;
  private volatile boolean closing;

  /**
   * Creates the handler.
   *
   * @param snapshots writes partial trees, few at a time
   */
  Live(
      SessionStore store,
      Sessions sessions,
      Executor snapshots,
      RunningClock time,
      Metrics metrics) {
    this.store = store;
    this.sessions = sessions;
    this.snapshots = snapshots;
    this.time = time;
    this.slow = metrics.connectionsDropped.labelValues("slow_watcher");
    metrics.gauge("watchers", "Clients that watch a session live.", streams::size);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    boolean head = HttpMethod.HEAD.is(request.getMethod());
    if (Route.of(request) != Route.LIVE || !(head || HttpMethod.GET.is(request.getMethod()))) {
      return super.handle(request, response, callback);
    }
    String id = Route.idOf(request);
    try {
      SessionState state = store.state(SessionId.check(id));
      if (state.phase() == Phase.NEW) {
        throw Problems.notFound(id);
      }
      long seen = lastSeen(request);
      if (state.phase() == Phase.COMPLETE && seen == state.entries() - 2) {
        response.setStatus(204);
        response.write(true, null, callback);
        return true;
      }
      response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream;charset=utf-8");
      response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
      response.getHeaders().put("X-Accel-Buffering", "no"); // or nginx would buffer events
      if (head) {
        Responses.endWithoutLength(response, callback);
        return true;
      }
      new LiveStream(this, sessions.acquire(id), request, response, callback).start(seen);
    } catch (ProblemException e) {
      Problems.respond(response, callback, e);
    } catch (IOException e) {
      LOG.error("session={} cannot be read: {}", id, e.toString());
      Problems.respond(response, callback, Problems.unreadable());
    }
    return true;
  }

  /** Returns the id of the last event that the client has seen; -1 for none, 0 if not valid. */
  private static long lastSeen(Request request) {
    String last = request.getHeaders().get(LAST_EVENT_ID);
    if (last == null || last.isEmpty()) {
      return -1;
    }
    return last.matches("[0-9]{1,18}") ? Long.parseLong(last) : 0;
  }

  SessionStore store() {
    return store;
  }

  Executor snapshots() {
    return snapshots;
  }

  RunningClock time() {
    return time;
  }

  void begun(LiveStream stream) {
    streams.add(stream);
    if (closing) {
      stream.stop();
    }
  }

  void ended(LiveStream stream) {
    streams.remove(stream);
    sessions.release(stream.session());
  }

  /** Counts a batch as held by one more watcher. */
  void hold(Batch batch) {
    if (queued.merge(batch, 1, Integer::sum) == 1) {
      queuedBytes.addAndGet(batch.children().length);
    }
  }

  /** Counts a batch as held by one watcher less. */
  void release(Batch batch) {
    if (queued.computeIfPresent(batch, (key, n) -> n == 1 ? null : n - 1) == null) {
      queuedBytes.addAndGet(-batch.children().length);
    }
  }

  /**
   * Drops watchers that hold batches, the slowest first, until all batches are within their bound.
   *
   * @param latest has just got a batch, and is not dropped
   */
  void keepWithinBound(LiveStream latest) {
    while (queuedBytes.get() > maxQueuedBytes) {
      Optional<LiveStream> slowest =
          streams.stream()
              .filter(stream -> stream != latest && stream.isBehind())
              .min(Comparator.comparingLong(LiveStream::sentNanos));
      if (slowest.isEmpty()) {
        return;
      }
      slowest.get().drop();
    }
  }

  void countDropped() {
    slow.inc();
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    streams.forEach(stream -> stream.tick(nowNanos));
  }

  /** Ends all streams; their clients may connect to another server. */
  void shutDown() {
    closing = true;
    streams.forEach(LiveStream::stop);
  }
}
