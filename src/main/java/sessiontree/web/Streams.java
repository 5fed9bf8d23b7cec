package sessiontree.web;

import io.prometheus.metrics.core.metrics.Counter;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;

/**
 * The WebSockets of {@code /sessions/{id}/stream}, in front of Javalin, in its server and on its
 * port: Jetty's core hands on the bytes as they were read, where Javalin's own WebSocket makes a
 * String of every message, which costs more than all that is done with it. What is no upgrade of
 * that path is passed on.
 */
final class Streams extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
  private static final String PREFIX = "/sessions/";
  private static final String SUFFIX = "/stream";

  /**
   * What is read at a time from one connection, at most; and the share of all inflow that it may
   * be.
   */
  private static final int INPUT_BUFFER_BYTES = 64 << 10;

  private static final int INPUT_BUFFERS = 512;

  private final Sessions sessions;
  private final int maxMessageBytes;
  private final Inflow inflow;
  private final Counter dropped;
  private volatile long nowNanos = System.nanoTime();
  private final WebSocketMappings webSockets = new WebSocketMappings();
  private final Configuration.ConfigurationCustomizer configuration =
      new Configuration.ConfigurationCustomizer();
  private final Set<StreamConnection> connections = ConcurrentHashMap.newKeySet();

  Streams(Sessions sessions, int maxMessageBytes, long maxInflowBytes, Metrics metrics) {
    this.sessions = sessions;
    this.maxMessageBytes = maxMessageBytes;
    this.inflow = new Inflow(maxInflowBytes);
    this.dropped = metrics.connectionsDropped;
    metrics.gauge("streams", "Streams that are open.", connections::size);
    metrics.gauge("inflow_bytes", "Bytes that were received and are not answered.", inflow::held);
    metrics.gauge("inflow_bytes_limit", "How many may be.", () -> maxInflowBytes);
    configuration.setAutoFragment(true); // parts as they are read, never gathered
    configuration.setMaxFrameSize(0); // a message's size is checked as its parts come
    configuration.setInputBufferSize(
        (int) Math.max(4 << 10, Math.min(INPUT_BUFFER_BYTES, maxInflowBytes / INPUT_BUFFERS)));
    configuration.setIdleTimeout(Duration.ZERO); // none: pings tell who is gone
  }

  Sessions sessions() {
    return sessions;
  }

  /** The time of the last tick: near enough to tell who is silent, and costs nothing. */
  long nowNanos() {
    return nowNanos;
  }

  Inflow inflow() {
    return inflow;
  }

  /** Counts a connection that the server cut off. */
  void countDropped(String reason) {
    dropped.labelValues(reason).inc();
  }

  void add(StreamConnection connection) {
    connections.add(connection);
  }

  void remove(StreamConnection connection) {
    connections.remove(connection);
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    this.nowNanos = nowNanos;
    StreamConnection tooSlow = inflow.tooSlow(nowNanos);
    if (tooSlow != null) {
      tooSlow.drop("slow_message");
    }
    for (StreamConnection connection : connections) {
      try {
        connection.tick(nowNanos);
      } catch (RuntimeException e) { // one connection's trouble is not the others'
        LOG.warn("a connection could not be pinged", e);
      }
    }
  }

  /** Whether it is the path of a session's stream. */
  static boolean isStream(String path) {
    return path != null
        && path.startsWith(PREFIX)
        && path.endsWith(SUFFIX)
        && path.length() > PREFIX.length() + SUFFIX.length();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    String path = request.getHttpURI().getPath();
    if (!isStream(path)
        || !HttpMethod.GET.is(request.getMethod())
        || !request.getHeaders().contains(HttpHeader.UPGRADE, "websocket")) {
      return super.handle(request, response, callback);
    }
    String segment = path.substring(PREFIX.length(), path.length() - SUFFIX.length());
    if (segment.indexOf('/') >= 0) {
      return super.handle(request, response, callback);
    }
    StreamConnection connection;
    try {
      String id = SessionId.check(Trees.decoded(segment));
      String writer = Request.extractQueryParameters(request).getValue("writer");
      connection = new StreamConnection(this, id, writer(writer), maxMessageBytes);
    } catch (ProblemException e) {
      Problems.answer(response, callback, e);
      return true;
    }
    WebSocketNegotiator negotiator =
        (upgrade, upgraded, upgradeCallback) -> {
          upgraded.setExtensions(List.of()); // compression would cost a connection some 100 KB
          return connection;
        };
    if (!webSockets.upgrade(negotiator, request, response, callback, configuration)) {
      Problems.answer(
          response,
          callback,
          new ProblemException(
              Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)"));
    }
    return true;
  }

  /** A writer's name, or null if there is none. */
  static String writer(String parameter) throws ProblemException {
    if (parameter != null && !SessionId.isValid(parameter)) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER, "writer is 1 to 128 of A-Z a-z 0-9 . _ ~ - and not . or ..");
    }
    return parameter;
  }

  /**
   * Takes nothing more, answers what was received, and closes with 1001. Returns when all are
   * closed, or the time is up.
   */
  void shutDown(Duration limit) throws InterruptedException {
    long until = System.nanoTime() + limit.toNanos();
    while (!connections.isEmpty() && System.nanoTime() < until) {
      connections.forEach(StreamConnection::shutDown);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
