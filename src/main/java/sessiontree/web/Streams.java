package sessiontree.web;

import io.prometheus.metrics.core.metrics.Counter;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.server.ConnectionMetaData;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpStream;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;

/**
 * The WebSockets of {@code /sessions/{id}/stream}, in front of Javalin, in its server and on its
 * port. Javalin's own WebSocket makes a String of every message, which costs more than all that is
 * done with it, and Jetty's knows of frames, but not of what was read at once (see {@link
 * WebSocket}). What is no upgrade of that path is passed on.
 */
final class Streams extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
  private static final String PREFIX = "/sessions/";
  private static final String SUFFIX = "/stream";
  private static final String VERSION = "13";
  private static final String KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

  /** So many may be reading before all inflow is taken. */
  private static final int INPUT_BUFFERS = 512;

  private final Sessions sessions;
  private final int maxMessageBytes;
  private final int inputBytes;
  private final Inflow inflow;
  private final Counter dropped;
  private volatile long nowNanos = System.nanoTime();
  private final Set<StreamConnection> connections = ConcurrentHashMap.newKeySet();

  Streams(Sessions sessions, int maxMessageBytes, long maxInflowBytes, Metrics metrics) {
    this.sessions = sessions;
    this.maxMessageBytes = maxMessageBytes;
    this.inflow = new Inflow(maxInflowBytes);
    this.dropped = metrics.connectionsDropped;
    metrics.gauge("streams", "Streams that are open.", connections::size);
    metrics.gauge("inflow_bytes", "Bytes that were received and are not answered.", inflow::held);
    metrics.gauge("inflow_bytes_limit", "How many may be.", () -> maxInflowBytes);
    inputBytes =
        (int)
            Math.max(4 << 10, Math.min(WebSocket.MAX_INPUT_BYTES, maxInflowBytes / INPUT_BUFFERS));
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
    Inflow.Reader tooSlow = inflow.tooSlow(nowNanos);
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
    try {
      String id = SessionId.check(Trees.decoded(segment));
      String writer = writer(Request.extractQueryParameters(request).getValue("writer"));
      upgrade(request, response, callback, id, writer);
    } catch (ProblemException e) {
      Problems.answer(response, callback, e);
    }
    return true;
  }

  /** RFC 6455, section 4.2. Of subprotocols and extensions none is taken. */
  private void upgrade(
      Request request, Response response, Callback callback, String id, String writer)
      throws ProblemException {
    HttpFields asked = request.getHeaders();
    String key = asked.get(HttpHeader.SEC_WEBSOCKET_KEY);
    ConnectionMetaData socket = request.getConnectionMetaData();
    if (key == null
        || !asked.contains(HttpHeader.CONNECTION, "upgrade")
        || !VERSION.equals(asked.get(HttpHeader.SEC_WEBSOCKET_VERSION))
        || socket.getHttpVersion() != HttpVersion.HTTP_1_1) {
      throw new ProblemException(
          Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)");
    }
    Connector connector = socket.getConnector();
    StreamConnection connection =
        new StreamConnection(
            this,
            socket.getConnection().getEndPoint(),
            connector.getExecutor(),
            inputBytes,
            maxMessageBytes,
            id,
            writer);
    connector.getEventListeners().forEach(connection::addEventListener);
    response.setStatus(101);
    HttpFields.Mutable answer = response.getHeaders();
    answer.put(HttpHeader.UPGRADE, "websocket");
    answer.put(HttpHeader.CONNECTION, "Upgrade");
    answer.put(HttpHeader.SEC_WEBSOCKET_ACCEPT, accept(key));
    request.setAttribute(HttpStream.UPGRADE_CONNECTION_ATTRIBUTE, connection);
    response.write(true, null, callback);
  }

  private static String accept(String key) {
    try {
      MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
      byte[] both = (key + KEY_SUFFIX).getBytes(StandardCharsets.ISO_8859_1);
      return Base64.getEncoder().encodeToString(sha1.digest(both));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-1", e);
    }
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
