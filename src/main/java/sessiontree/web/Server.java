package sessiontree.web;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.handler.EagerContentHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.event.Utf8;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/** The HTTP server: every route, and its answers. */
public final class Server implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Server.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SESSION = "/sessions/{id}";
  private static final Duration SHUTDOWN = Duration.ofSeconds(5);

  private final SessionStore store;
  private final Sessions sessions;
  private final int maxMessageBytes;
  private final Streams streams;
  private final Javalin javalin;

  /** Jetty's threads. */
  private Executor pool;

  private Server(SessionStore store, int maxMessageBytes, long maxInflowBytes) {
    this.store = store;
    this.sessions = new Sessions(store);
    this.maxMessageBytes = maxMessageBytes;
    this.streams = new Streams(sessions, maxMessageBytes, maxInflowBytes);
    this.javalin = Javalin.create(this::configure);
  }

  /**
   * Starts to listen.
   *
   * @param port 0 for any that is free
   * @param maxMessageBytes of one message, as a WebSocket message or a request's body
   * @param maxInflowBytes that all streams together have sent, and that are not answered; at it
   *     nobody is read from
   * @throws RuntimeException if it cannot listen there
   */
  public static Server start(
      SessionStore store, String host, int port, int maxMessageBytes, long maxInflowBytes) {
    Server server = new Server(store, maxMessageBytes, maxInflowBytes);
    server.javalin.start(host, port);
    return server;
  }

  /** The port it listens on. */
  public int port() {
    return javalin.port();
  }

  private void configure(JavalinConfig config) {
    config.startup.showJavalinBanner = false;
    config.startup.showOldJavalinVersionWarning = false;
    config.router.ignoreTrailingSlashes = false;
    config.http.prefer405over404 = true;
    config.http.maxRequestSize = Long.MAX_VALUE; // bodies are measured here
    // Every path reaches a route, which answers in the API's words; ids are checked there.
    config.jetty.modifyHttpConfiguration(http -> http.setUriCompliance(UriCompliance.UNSAFE));
    config.jetty.modifyServer(
        server -> {
          pool = server.getThreadPool();
          // A body is read before a thread is taken for it, so slow clients hold none.
          server.insertHandler(
              new EagerContentHandler(
                  new EagerContentHandler.RetainedContentLoaderFactory(
                      maxMessageBytes + 1L, 0, false)));
          server.insertHandler(new Bodies(streams.inflow(), maxMessageBytes));
          server.insertHandler(streams);
          server.setErrorHandler(new ProblemErrors());
        });

    config.routes.post(SESSION + "/events", this::postEvents);
    config.routes.get(SESSION + "/stream", this::refuseStream);
    config.routes.get(SESSION, this::getSession);
    config.routes.head(SESSION, this::getSession);
    config.routes.get("/health", this::getHealth);
    config.routes.head("/health", this::getHealth);

    config.routes.exception(ProblemException.class, (e, ctx) -> Problems.answer(ctx, e));
    config.routes.exception(IOException.class, this::answerStorageFailure);
    config.routes.exception(Exception.class, this::answerFailure);
    config.routes.error(404, ctx -> answerUnrouted(ctx, Problem.NOT_FOUND));
    config.routes.error(405, ctx -> answerUnrouted(ctx, Problem.METHOD_NOT_ALLOWED));
  }

  private void postEvents(Context ctx) throws ProblemException, IOException {
    String id = SessionId.check(ctx.pathParam("id"));
    String writer = Streams.writer(ctx.queryParam("writer"));
    long number = messageNumber(ctx, writer);
    byte[] message = body(ctx);
    Batch batch = null;
    ProblemException unreadable = null;
    try {
      if (!Utf8.isValid(message, 0, message.length)) {
        throw new ProblemException(Problem.INVALID_JSON, "the message is not UTF-8");
      }
      batch = MessageParser.parse(message, 0, message.length, id);
    } catch (ProblemException e) {
      unreadable = e;
    }
    Session session = sessions.acquire(id);
    Posted posted = new Posted(session);
    session.submit(writer, number, true, batch, unreadable, posted);
    ctx.future(
        () ->
            posted.replied.thenAccept(
                answer -> {
                  if (answer.problem != null) {
                    Problems.answer(ctx, answer.problem);
                    return;
                  }
                  if (answer.complete) {
                    ctx.header("Location", "/sessions/" + id);
                  }
                  ObjectNode json = JSON.createObjectNode().put("session_id", id);
                  json.put("state", answer.complete ? "complete" : "open")
                      .put("entries", answer.entries);
                  ctx.contentType("application/json").result(json.toString());
                }));
  }

  private static long messageNumber(Context ctx, String writer) throws ProblemException {
    String message = ctx.queryParam("message");
    if ((message == null) != (writer == null)) {
      throw new ProblemException(Problem.INVALID_PARAMETER, "writer and message go together");
    }
    if (message == null) {
      return 0;
    }
    if (!message.matches("[1-9][0-9]{0,17}")) {
      throw new ProblemException(Problem.INVALID_PARAMETER, "message is a whole number from 1 on");
    }
    return Long.parseLong(message);
  }

  private byte[] body(Context ctx) throws ProblemException {
    byte[] body;
    try (InputStream in = ctx.bodyInputStream()) {
      body =
          ctx.req().getContentLengthLong() > maxMessageBytes
              ? null
              : in.readNBytes(maxMessageBytes + 1);
    } catch (IOException e) {
      throw new ProblemException(Problem.INVALID_JSON, "the request's body cannot be read");
    }
    if (body == null || body.length > maxMessageBytes) {
      throw new ProblemException(
          Problem.MESSAGE_TOO_BIG,
          "a message has at most " + maxMessageBytes + " bytes; this one has more");
    }
    return body;
  }

  /** What becomes of a message that was posted. */
  private final class Posted implements Reply {
    private final Session session;
    private final CompletableFuture<Posted> replied = new CompletableFuture<>();
    private long entries;
    private boolean complete;
    private ProblemException problem;

    Posted(Session session) {
      this.session = session;
    }

    @Override
    public void stored(long entries, boolean complete) {
      this.entries = entries;
      this.complete = complete;
    }

    @Override
    public void refused(ProblemException problem) {
      this.problem = problem;
    }

    @Override
    public void flush() {
      sessions.release(session);
      pool.execute(
          () -> replied.complete(this)); // not here: a client that does not read blocks the writer
    }
  }

  private void refuseStream(Context ctx) throws ProblemException {
    SessionId.check(ctx.pathParam("id"));
    throw new ProblemException(
        Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)");
  }

  private void getSession(Context ctx) throws ProblemException, IOException {
    String id = SessionId.check(ctx.pathParam("id"));
    Optional<Tree> tree = store.tree(id);
    if (tree.isEmpty()) {
      SessionState state = store.state(id);
      if (state.phase() == Phase.COMPLETE) { // it was published between the two
        tree = store.tree(id);
      } else if (state.phase() == Phase.NEW) {
        throw new ProblemException(Problem.SESSION_NOT_FOUND, "nothing is stored of session " + id);
      } else {
        throw new ProblemException(
                Problem.SESSION_IN_PROGRESS,
                "session " + id + " has no SESSION_END yet; its tree comes with it")
            .with("entries", state.entries());
      }
    }
    ctx.contentType("application/json");
    ctx.res().setContentLengthLong(tree.orElseThrow().bytes());
    ctx.disableCompression().result(tree.orElseThrow().content());
  }

  private void getHealth(Context ctx) {
    boolean up = store.healthy();
    ctx.status(up ? 200 : 503)
        .contentType("application/json")
        .result("{\"status\":\"" + (up ? "UP" : "DOWN") + "\"}");
  }

  private void answerStorageFailure(IOException e, Context ctx) {
    LOG.error("{} {}: {}", ctx.method(), ctx.path(), e.toString());
    Problems.answer(
        ctx, new ProblemException(Problem.STORAGE_UNAVAILABLE, "what is stored cannot be read"));
  }

  private void answerFailure(Exception e, Context ctx) {
    LOG.error("{} {} failed", ctx.method(), ctx.path(), e);
    ctx.status(500)
        .contentType(Problems.CONTENT_TYPE)
        .result(
            "{\"title\":\"The server failed\",\"status\":500,\"code\":\"internal\",\"detail\":\"see its log\"}");
  }

  /** Only for requests that no route has answered: a route's own 404 has its body. */
  private static void answerUnrouted(Context ctx, Problem problem) {
    if (Problems.CONTENT_TYPE.equals(ctx.res().getContentType())) {
      return;
    }
    HandlerType method = ctx.method();
    Problems.answer(
        ctx,
        new ProblemException(
            problem,
            problem == Problem.NOT_FOUND
                ? "no route of the API has this path"
                : "this path does not take " + method.name().toUpperCase(Locale.ROOT)));
  }

  /**
   * Answers what was received, closes all connections, and listens no more. The store stays open.
   */
  @Override
  public void close() {
    try {
      streams.shutDown(SHUTDOWN);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    javalin.stop();
  }
}
