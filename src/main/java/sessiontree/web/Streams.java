package sessiontree.web;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
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
  private final WebSocketMappings webSockets = new WebSocketMappings();
  private final Configuration.ConfigurationCustomizer configuration =
      new Configuration.ConfigurationCustomizer();
  private final Set<StreamConnection> connections = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "pings");
            thread.setDaemon(true);
            return thread;
          });

  private ScheduledFuture<?> ticks;

  Streams(Sessions sessions, int maxMessageBytes, long maxInflowBytes) {
    this.sessions = sessions;
    this.maxMessageBytes = maxMessageBytes;
    this.inflow = new Inflow(maxInflowBytes);
    configuration.setAutoFragment(true); // parts as they are read, never gathered
    configuration.setMaxFrameSize(0); // a message's size is checked as its parts come
    configuration.setInputBufferSize(
        (int) Math.max(4 << 10, Math.min(INPUT_BUFFER_BYTES, maxInflowBytes / INPUT_BUFFERS)));
    configuration.setIdleTimeout(Duration.ZERO); // none: pings tell who is gone
  }

  Sessions sessions() {
    return sessions;
  }

  Inflow inflow() {
    return inflow;
  }

  void add(StreamConnection connection) {
    connections.add(connection);
  }

  void remove(StreamConnection connection) {
    connections.remove(connection);
  }

  @Override
  protected void doStart() throws Exception {
    super.doStart();
    ticks = clock.scheduleAtFixedRate(this::tick, 1, 1, TimeUnit.SECONDS);
  }

  private void tick() {
    StreamConnection tooSlow = inflow.tooSlow(System.nanoTime());
    if (tooSlow != null) {
      tooSlow.drop("it holds up all others");
    }
    for (StreamConnection connection : connections) {
      try {
        connection.tick(System.nanoTime());
      } catch (RuntimeException e) { // one connection's trouble is not the others'
        LOG.warn("a connection could not be pinged", e);
      }
    }
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    String path = request.getHttpURI().getPath();
    if (path == null
        || !path.startsWith(PREFIX)
        || !path.endsWith(SUFFIX)
        || path.length() <= PREFIX.length() + SUFFIX.length()
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
      String id = SessionId.check(decoded(segment));
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

  private static String decoded(String segment) {
    try {
      return URLDecoder.decode(segment, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      return segment; // and not valid, as it has a "%"
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
    ticks.cancel(false);
    clock.shutdown();
  }
}
