package sessiontree.web;

import io.javalin.http.Context;
import io.prometheus.metrics.core.metrics.Counter;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
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
 * The WebSockets of {@code /sessions/{id}/stream}. The protocol is Jetty's (its WebSocket core),
 * which hands on frames as bytes; Javalin's own WebSocket makes a String of every message, which
 * costs more than all that is done with it.
 */
final class Streams implements WebSocketNegotiator {
  private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
  private static final int KEY_BYTES = 16;

  /** Of RFC 7692, section 7.1, without a smaller window for what the server sends. */
  private static final Set<String> COMPRESSION_PARAMETERS =
      Set.of("client_no_context_takeover", "server_no_context_takeover", "client_max_window_bits");

  /** How many connections may be reading before all room for in-flight bytes is taken. */
  private static final int INPUT_BUFFERS = 512;

  private static final int MAX_INPUT_BYTES = 64 << 10;

  /** Jetty keeps the query of each stream while that is open; it has room for any token. */
  private static final int MAX_QUERY_CHARS = (4 << 10) + 512;

  private static final int MAX_PARAMETERS = 8;

  /** What a connection reads at a time until it sends more than that in one message. */
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
    metrics.gauge("inflow_bytes", "Bytes that were received and have no result.", inFlight::held);
    metrics.gauge(
        "inflow_limit_bytes",
        "Bytes that may be received and have no result.",
        () -> maxInFlightBytes);
    inputBytes =
        (int)
            Math.max(
                SMALL_INPUT_BYTES, Math.min(MAX_INPUT_BYTES, maxInFlightBytes / INPUT_BUFFERS));
  }

  /** The handler that upgrades requests to streams, and passes all others on. */
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
    connection.setIdleTimeout(Duration.ZERO); // pings show which clients are gone
    connection.setAutoFragment(true); // a frame comes in the parts that were read
    connection.setMaxFrameSize(0); // messages are measured by StreamConnection
    connection.setInputBufferSize(SMALL_INPUT_BYTES);
  }

  @Override
  public FrameHandler negotiate(
      ServerUpgradeRequest request, ServerUpgradeResponse response, Callback callback) {
    try {
      String named = Route.STREAM.id(request.getHttpURI().getPath());
      if (named == null) { // Jetty has resolved or decoded the path to one of this route
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
      return new StreamConnection(this, maxMessageBytes, inputBytes, id, writer);
    } catch (ProblemException e) {
      Problems.respond(response, callback, e);
      return null;
    }
  }

  /** Whether an extension is compression, and asks for nothing that Jetty's does not do. */
  private static boolean isTaken(ExtensionConfig offered) {
    return offered.getName().equals(MessageCompression.NAME)
        && COMPRESSION_PARAMETERS.containsAll(offered.getParameterKeys());
  }

  private static void checkQuery(String query) throws ProblemException {
    if (query != null
        && (query.length() > MAX_QUERY_CHARS
            || query.chars().filter(c -> c == '&').count() >= MAX_PARAMETERS)) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER,
          "the query of a stream has at most 8 parameters and 4608 characters");
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

  /** The time of the last tick: near enough to see which clients are silent, and costs nothing. */
  long nowNanos() {
    return nowNanos;
  }

  InFlight inFlight() {
    return inFlight;
  }

  /** Counts bytes of messages. */
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
   * @param nowNanos time in which the process ran
   */
  void tick(long nowNanos) {
    this.nowNanos = nowNanos;
    inFlight.tick(nowNanos);
    for (StreamConnection connection : connections) {
      try {
        connection.tick(nowNanos);
      } catch (RuntimeException e) { // one connection's trouble is not the others'
        LOG.warn("a connection could not be pinged", e);
      }
    }
  }

  /** Responds to a request that asks for no upgrade. */
  static void refuse(Context ctx) throws ProblemException {
    SessionId.check(ctx.pathParam("id"));
    throw new ProblemException(
        Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)");
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
   * Takes nothing more, stores what was received, and closes with 1001. Returns when all are
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
