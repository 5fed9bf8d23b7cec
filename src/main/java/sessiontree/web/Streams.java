package sessiontree.web;

import io.javalin.http.Context;
import io.prometheus.metrics.core.metrics.Counter;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.ExtensionConfig;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.WebSocketExtensionRegistry;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeRequest;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeResponse;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.eclipse.jetty.websocket.core.server.WebSocketUpgradeHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.RunningClock;

/**
 * The WebSocket connections of {@code /sessions/{id}/stream}. They use Jetty's WebSocket core,
 * which delivers frames as bytes; Javalin's own WebSocket makes a String of every message, which
 * costs more than everything else that is done with it.
 */
final class Streams implements WebSocketNegotiator {
  private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
  private static final int KEY_BYTES = 16;

  /** The parameters of RFC 7692, section 7.1, but {@code server_max_window_bits}. */
  private static final Pattern COMPRESSION_PARAMETER =
      Pattern.compile(
          "(client|server)_no_context_takeover|client_max_window_bits(=([89]|1[0-5]))?");

  /** Number of connections whose input buffers together take up all in-flight bytes. */
  private static final int INPUT_BUFFERS = 512;

  private static final int MAX_INPUT_BYTES = 64 << 10;

  /** Jetty keeps the query while the stream is open. The limit has room for any token. */
  private static final int MAX_QUERY_CHARS = (4 << 10) + 512;

  private static final int MAX_PARAMETERS = 8;

  /** A connection's input buffer, until more than that comes in one message or at once. */
  static final int SMALL_INPUT_BYTES = 4 << 10;

  private final Sessions sessions;
  private final int maxMessageBytes;
  private final int inputBytes;
  private final InFlight inFlight;
  private final RunningClock time;
  private final Counter dropped;
  private final Counter received;
  private volatile long nowNanos;
  private final Set<StreamConnection> connections = ConcurrentHashMap.newKeySet();

  Streams(
      Sessions sessions,
      int maxMessageBytes,
      long maxInFlightBytes,
      RunningClock time,
      Metrics metrics) {
    this.sessions = sessions;
    this.maxMessageBytes = maxMessageBytes;
    this.time = time;
    this.inFlight = new InFlight(maxInFlightBytes, time);
    this.received = metrics.messageBytesReceived;
    this.dropped = metrics.connectionsDropped;
    metrics.gauge("streams", "Streams that are open.", connections::size);
    metrics.gauge(
        "inflow_bytes", "In-flight bytes: received, without a result yet.", inFlight::bytes);
    metrics.gauge("inflow_limit_bytes", "Bound on the in-flight bytes.", () -> maxInFlightBytes);
    inputBytes =
        (int)
            Math.max(
                SMALL_INPUT_BYTES, Math.min(MAX_INPUT_BYTES, maxInFlightBytes / INPUT_BUFFERS));
  }

  /** Returns the handler that upgrades requests to streams and passes all others on. */
  Handler.Singleton handler(Server jetty) {
    WebSocketExtensionRegistry extensions = new WebSocketExtensionRegistry();
    extensions.register(MessageCompression.NAME, MessageCompression.class);
    WebSocketUpgradeHandler handler =
        new WebSocketUpgradeHandler(
            new WebSocketComponents(
                extensions, null, jetty.getByteBufferPool(), null, null, jetty.getThreadPool()));
    handler.setHandler((Handler) null);
    handler.addMapping(Route.STREAM.spec, this);
    return handler;
  }

  @Override
  public void customize(Configuration connection) {
    connection.setIdleTimeout(Duration.ZERO); // pings detect clients that are gone
    connection.setAutoFragment(true); // frames are delivered in parts, as read
    connection.setMaxFrameSize(0); // StreamInput limits messages
    connection.setInputBufferSize(SMALL_INPUT_BYTES);
  }

  @Override
  public FrameHandler negotiate(
      ServerUpgradeRequest request, ServerUpgradeResponse response, Callback callback) {
    try {
      String named = Route.STREAM.id(request.getHttpURI().getPath());
      if (named == null) { // the path matched only after Jetty resolved or decoded it
        throw new ProblemException(Problem.NOT_FOUND, Problems.NO_ROUTE);
      }
      String id = SessionId.check(named);
      checkQuery(request.getHttpURI().getQuery());
      String writer = writer(Request.extractQueryParameters(request).getValue("writer"));
      checkKey(request.getHeaders().get(HttpHeader.SEC_WEBSOCKET_KEY));
      response.setExtensions(
          request.getExtensions().stream().anyMatch(Streams::isTaken)
              ? List.of(MessageCompression.NEGOTIATED)
              : List.of());
      Subprotocols.accept(request.getHeaders(), response.getHeaders());
      return new StreamConnection(this, id, writer);
    } catch (ProblemException e) {
      Problems.respond(response, callback, e);
      return null;
    }
  }

  /** Returns whether an extension is compression with valid and supported parameters only. */
  private static boolean isTaken(ExtensionConfig offered) {
    return offered.getName().equals(MessageCompression.NAME)
        && offered.getParameters().entrySet().stream()
            .map(each -> each.getKey() + (each.getValue() == null ? "" : "=" + each.getValue()))
            .allMatch(each -> COMPRESSION_PARAMETER.matcher(each).matches());
  }

  private static void checkQuery(String query) throws ProblemException {
    if (query != null
        && (query.length() > MAX_QUERY_CHARS
            || query.chars().filter(c -> c == '&').count() >= MAX_PARAMETERS)) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER,
          "the query of a stream has at most "
              + MAX_PARAMETERS
              + " parameters and "
              + MAX_QUERY_CHARS
              + " characters");
    }
  }

  private static void checkKey(String key) throws ProblemException {
    boolean valid;
    try {
      valid = key.length() % 4 == 0 && Base64.getDecoder().decode(key).length == KEY_BYTES;
    } catch (IllegalArgumentException e) {
      valid = false;
    }
    if (!valid) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER, "Sec-WebSocket-Key must be 16 bytes in base64");
    }
  }

  Sessions sessions() {
    return sessions;
  }

  RunningClock time() {
    return time;
  }

  /** Returns the time of the last tick: precise enough to detect silent clients, and free. */
  long nowNanos() {
    return nowNanos;
  }

  int maxMessageBytes() {
    return maxMessageBytes;
  }

  /** Returns the size of the input buffer of a connection that sends much. */
  int inputBytes() {
    return inputBytes;
  }

  InFlight inFlight() {
    return inFlight;
  }

  /** Counts received bytes of messages. */
  void countReceived(long bytes) {
    received.inc(bytes);
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

  /**
   * Called about once a second.
   *
   * @param nowNanos time for which the process has run, by the {@link RunningClock}
   */
  void tick(long nowNanos) {
    this.nowNanos = nowNanos;
    inFlight.tick(nowNanos);
    for (StreamConnection connection : connections) {
      try {
        connection.tick(nowNanos);
      } catch (RuntimeException e) { // must not affect the other connections
        LOG.warn("the periodic check of a stream failed", e);
      }
    }
  }

  /** Refuses a request that asks for no upgrade. */
  static void refuse(Context ctx) throws ProblemException {
    SessionId.check(ctx.pathParam("id"));
    throw new ProblemException(
        Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)");
  }

  /** Returns the writer's name, or null if there is none. */
  static String writer(String parameter) throws ProblemException {
    if (parameter != null && !SessionId.isValid(parameter)) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER, "writer is 1 to 128 of A-Z a-z 0-9 . _ ~ - and not . or ..");
    }
    return parameter;
  }

  /**
   * Takes no more messages, stores those received, and closes all streams with 1001. Returns when
   * all are closed, or after {@code limit}.
   */
  void shutDown(Duration limit) throws InterruptedException {
    long until = System.nanoTime() + limit.toNanos();
    while (!connections.isEmpty() && System.nanoTime() < until) {
      connections.forEach(StreamConnection::shutDown);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
