package sessiontree.web;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HandlerType;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.QuotedQualityCSV;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.event.Utf8;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Sessions;
import sessiontree.store.Listing;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/** The HTTP server: every route, and its answers. */
public final class Server implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Server.class);
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static final String JSON_TYPE = "application/json";
  private static final String SESSION = "/sessions/{id}";
  private static final Duration SHUTDOWN = Duration.ofSeconds(5);
  private static final String NO_ROUTE = "no route of the API has this path";
  private static final int DEFAULT_SELECTORS = -1;

  /**
   * Connections that the system makes before they are accepted, if it allows so many. Beyond, a
   * client's system asks again after 1, 2, 4 seconds; of Java's 50 many that come at once do.
   */
  private static final int ACCEPT_QUEUE = 4_096;

  /** None waits for a client; some wait for a disk, with a request in hand. */
  private static final int THREADS = 64;

  /**
   * One of so many requests is handed over whatever it asks for: so a client that sends request
   * upon request does not keep the selecting thread.
   */
  private static final int TURN = 16;

  /** Of the API, by name, once they were asked for. */
  private static final Map<String, byte[]> DOCUMENTS = new ConcurrentHashMap<>();

  private static final int MAX_SHOWN = 200;
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;

  private final SessionStore store;
  private final Settings settings;
  private final Metrics metrics;
  private final Connections connections;
  private final Bodies bodies;
  private final Streams streams;
  private final Outflow outflow;
  private final Posting posting;
  private final Trees trees;
  private final Javalin javalin;
  private final RunningClock time = new RunningClock(System::nanoTime);
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "clock");
            thread.setDaemon(true);
            return thread;
          });

  /** Jetty's threads. */
  private Executor pool;

  private Server(SessionStore store, Sessions sessions, Settings settings, Metrics metrics) {
    this.store = store;
    this.settings = settings;
    this.metrics = metrics;
    this.connections =
        new Connections(settings.maxConnections(), settings.patience(), time, metrics);
    this.streams =
        new Streams(sessions, settings.maxMessageBytes(), settings.maxInflowBytes(), time, metrics);
    this.bodies =
        new Bodies(
            streams.inflow(), settings.maxMessageBytes(), settings.patience(), time, metrics);
    this.posting = new Posting(sessions, task -> pool.execute(task));
    this.outflow = new Outflow(settings.maxOutflowBytes(), time, metrics);
    this.trees = new Trees(store, sessions, outflow);
    metrics.gauge("healthy", "1 while /health says UP, and 0 else.", () -> store.healthy() ? 1 : 0);
    this.javalin = Javalin.create(this::configure);
  }

  /**
   * Starts to listen.
   *
   * @throws RuntimeException if it cannot listen there
   */
  public static Server start(
      SessionStore store, Sessions sessions, Settings settings, Metrics metrics) {
    spareJmx();
    Server server = new Server(store, sessions, settings, metrics);
    server.javalin.start();
    ScheduledFuture<?> unused =
        server.clock.scheduleAtFixedRate(server::tick, 1, 1, TimeUnit.SECONDS);
    return server;
  }

  /**
   * Tells Jetty how many references fit into a cache line, which it otherwise asks the JVM over JMX
   * for, when it is loaded; JMX takes long to load, and nothing else uses it.
   */
  private static void spareJmx() {
    String property = "org.eclipse.jetty.util.referencesPerCacheLine";
    if (System.getProperty(property) == null) {
      System.setProperty(property, "16"); // of 64 bytes, when references are compressed
    }
  }

  /** The port it listens on. */
  public int port() {
    return javalin.port();
  }

  private void tick() {
    try {
      long now = time.nanos();
      connections.tick(now);
      bodies.tick(now);
      streams.tick(now);
      outflow.tick(now);
      posting.tick(System.nanoTime());
    } catch (OutOfMemoryError e) { // which the scheduler would keep to itself
      Problems.endIfOutOfMemory(e);
    }
  }

  private void configure(JavalinConfig config) {
    config.startup.showJavalinBanner = false;
    config.startup.showOldJavalinVersionWarning = false;
    config.startup.startupWatcherEnabled = false; // a thread that sleeps
    config.router.ignoreTrailingSlashes = false;
    config.http.prefer405over404 = true;
    config.http.maxRequestSize = Long.MAX_VALUE; // bodies are measured in Bodies
    config.jetty.addConnector(this::connector);
    config.jetty.modifyServer(
        server -> {
          QueuedThreadPool threads = (QueuedThreadPool) server.getThreadPool();
          threads.setMaxThreads(THREADS);
          pool = threads;
          server.addBean(new NoSessions(server));
          // The last is the first that sees a request.
          server.insertHandler(new AnswerSender(outflow));
          server.insertHandler(bodies);
          server.insertHandler(streams.handler(server)); // WebSockets of /sessions/{id}/stream
          server.insertHandler(new Handover(1)); // what is not answered yet may wait
          server.insertHandler(trees); // GET and HEAD of /sessions/{id}
          server.insertHandler(new Access(settings.access()));
          server.insertHandler(new Handover(TURN));
          server.insertHandler(connections);
          server.setErrorHandler(new ProblemErrors());
        });

    get(config, "/sessions", this::listSessions);
    get(config, SESSION, Server::answeredByTrees);
    config.routes.delete(SESSION, this::deleteSession);
    config.routes.post(SESSION + "/events", this::postEvents);
    get(config, SESSION + "/stream", this::refuseStream);
    get(config, "/metrics", this::getMetrics);
    get(config, "/openapi.json", ctx -> answerDocument(ctx, "openapi.json"));
    get(config, "/asyncapi.json", ctx -> answerDocument(ctx, "asyncapi.json"));
    get(config, "/health", this::getHealth);

    config.routes.exception(ProblemException.class, (e, ctx) -> Problems.answer(ctx, e));
    config.routes.exception(IOException.class, this::answerStorageFailure);
    config.routes.exception(Exception.class, this::answerFailure);
    config.router.javaLangErrorHandler(Server::answerError);
    config.routes.error(404, ctx -> answerUnrouted(ctx, Problem.NOT_FOUND));
    config.routes.error(405, ctx -> answerUnrouted(ctx, Problem.METHOD_NOT_ALLOWED));
  }

  /** A route whose HEAD is answered as its GET is; Jetty leaves the body out. */
  private static void get(JavalinConfig config, String path, Handler handler) {
    config.routes.get(path, handler);
    config.routes.head(path, handler);
  }

  /** Answers with what Javalin compresses where the client accepts that. */
  private static void answer(Context ctx, String contentType, byte[] body) {
    ctx.res().addHeader("Vary", "Accept-Encoding"); // beside Origin
    ctx.contentType(contentType).result(body);
  }

  private Connector connector(org.eclipse.jetty.server.Server server, HttpConfiguration http) {
    // Every path reaches a route, which answers in the API's words; ids are checked there.
    http.setUriCompliance(UriCompliance.UNSAFE);
    http.setSendServerVersion(false);
    http.addCustomizer(new EveryRequest());
    http.setHeaderCacheSize(0); // each connection would take 64 KiB for it
    http.setUseInputDirectByteBuffers(false); // messages are parsed where they were read
    // No thread that only accepts: the one that selects does, and spares a change of threads.
    ServerConnector connector =
        new ServerConnector(server, 0, DEFAULT_SELECTORS, new HttpConnections(http));
    connector.setHost(settings.host());
    connector.setPort(settings.port());
    connector.setAcceptQueueSize(ACCEPT_QUEUE);
    connector.setIdleTimeout(settings.patience().toMillis());
    connector.addEventListener(connections);
    return connector;
  }

  /** Only what is not written as that path is comes here. */
  private static void answeredByTrees(Context ctx) throws ProblemException {
    throw new ProblemException(Problem.NOT_FOUND, NO_ROUTE);
  }

  private void listSessions(Context ctx) throws ProblemException, IOException {
    String filter = ctx.queryParam("state");
    Listing.Filter state = Listing.Filter.ALL;
    if (filter != null) {
      state =
          switch (filter) {
            case "open" -> Listing.Filter.OPEN;
            case "complete" -> Listing.Filter.COMPLETE;
            default -> throw invalid("state is open or complete");
          };
    }
    String page = page(state, cursor(ctx), limit(ctx)).toString();
    answer(ctx, JSON_TYPE, page.getBytes(StandardCharsets.UTF_8));
  }

  private ObjectNode page(Listing.Filter state, String after, int limit)
      throws ProblemException, IOException {
    Listing listing;
    try {
      listing = store.list(state, after, limit);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor is the next of another page");
    }
    ObjectNode page = JSON.objectNode();
    ArrayNode listed = page.putArray("sessions");
    for (Listing.Listed session : listing.sessions()) {
      ObjectNode one = listed.addObject().put("session_id", session.id());
      one.put("state", session.complete() ? "complete" : "open");
      one.putRawValue("start", new RawValue(session.start())); // as it was sent
      if (session.complete()) {
        one.putRawValue("end", new RawValue(session.end()));
        one.put("bytes", session.bytes());
      } else {
        one.put("entries", session.entries());
      }
    }
    if (listing.next() != null) {
      byte[] next = listing.next().getBytes(StandardCharsets.US_ASCII);
      page.put("next", Base64.getUrlEncoder().withoutPadding().encodeToString(next));
    }
    return page;
  }

  private static String cursor(Context ctx) throws ProblemException {
    String cursor = ctx.queryParam("cursor");
    try {
      return cursor == null
          ? null
          : new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.US_ASCII);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor is the next of another page");
    }
  }

  private static int limit(Context ctx) throws ProblemException {
    String limit = ctx.queryParam("limit");
    if (limit == null) {
      return DEFAULT_LIMIT;
    }
    if (!limit.matches("[0-9]{1,4}")
        || Integer.parseInt(limit) < 1
        || Integer.parseInt(limit) > MAX_LIMIT) {
      throw invalid("limit is a number from 1 to " + MAX_LIMIT);
    }
    return Integer.parseInt(limit);
  }

  private static ProblemException invalid(String detail) {
    return new ProblemException(Problem.INVALID_PARAMETER, detail);
  }

  private void deleteSession(Context ctx) throws ProblemException, IOException {
    String id = SessionId.check(ctx.pathParam("id"));
    CompletableFuture<Posting.Outcome> deleted = posting.delete(id, matchedTag(ctx, id));
    ctx.future(
        () ->
            deleted.thenAccept(
                outcome -> answer(ctx, outcome, () -> ctx.status(204).res().setContentType(null))));
  }

  /**
   * The tag that the tree must have when it is deleted, by {@code If-Match}; null if any, or none,
   * will do. A session of which nothing is stored is not found, whatever the condition.
   */
  private String matchedTag(Context ctx, String id) throws ProblemException, IOException {
    List<String> ifMatch = Collections.list(ctx.req().getHeaders("If-Match"));
    if (ifMatch.isEmpty() || store.state(id).phase() == Phase.NEW) {
      return null;
    }
    Tree tree = store.tree(id).orElse(null);
    try (tree) {
      Preconditions.checkMatch(ifMatch, Trees.tags(Optional.ofNullable(tree)));
      return tree == null ? null : tree.tag();
    }
  }

  private void postEvents(Context ctx) throws ProblemException, IOException {
    String id = SessionId.check(ctx.pathParam("id"));
    String writer = Streams.writer(ctx.queryParam("writer"));
    long number = messageNumber(ctx, writer);
    byte[] message = ctx.attribute(Bodies.BODY);
    message = message == null ? Bodies.NONE : message;
    metrics.messageBytesReceived.inc(message.length);
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
    CompletableFuture<Posting.Outcome> posted =
        posting.post(id, writer, new Message(number, batch, unreadable));
    ctx.future(
        () ->
            posted.thenAccept(
                outcome -> answer(ctx, outcome, () -> writePosted(ctx, id, outcome))));
  }

  /** Writes the response, if what was asked for was done. */
  private static void answer(Context ctx, Posting.Outcome outcome, Runnable response) {
    if (outcome.problem() != null) {
      Problems.answer(ctx, outcome.problem());
    } else {
      response.run();
    }
  }

  private static void writePosted(Context ctx, String id, Posting.Outcome outcome) {
    if (outcome.complete()) {
      ctx.header("Location", "/sessions/" + id);
    }
    ObjectNode json = JSON.objectNode().put("session_id", id);
    json.put("state", outcome.complete() ? "complete" : "open").put("entries", outcome.entries());
    ctx.contentType(JSON_TYPE).result(json.toString());
  }

  private static long messageNumber(Context ctx, String writer) throws ProblemException {
    String message = ctx.queryParam("message");
    if ((message == null) != (writer == null)) {
      throw invalid("writer and message go together");
    }
    if (message == null) {
      return 0;
    }
    if (!message.matches("[1-9][0-9]{0,17}")) {
      throw invalid("message is a whole number from 1 on");
    }
    return Long.parseLong(message);
  }

  private void refuseStream(Context ctx) throws ProblemException {
    SessionId.check(ctx.pathParam("id"));
    throw new ProblemException(
        Problem.UPGRADE_REQUIRED, "connect with a WebSocket (RFC 6455, version 13)");
  }

  private void getHealth(Context ctx) {
    boolean up = store.healthy();
    ctx.status(up ? 200 : 503)
        .contentType(JSON_TYPE)
        .result("{\"status\":\"" + (up ? "UP" : "DOWN") + "\"}");
  }

  private void getMetrics(Context ctx) throws IOException {
    boolean openMetrics = prefersOpenMetrics(ctx.header("Accept"));
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    metrics.write(text, openMetrics);
    answer(ctx, metrics.contentType(openMetrics), text.toByteArray());
  }

  /**
   * Whether OpenMetrics is accepted, and liked better than other text (RFC 9110, section 12.5.1).
   * What cannot be had is passed over: numbers in some text are better than 406.
   */
  private static boolean prefersOpenMetrics(String accept) {
    QuotedQualityCSV types = new QuotedQualityCSV();
    try {
      types.addValue(accept);
    } catch (IllegalArgumentException e) { // no list
      return false;
    }
    return types.getValues().stream()
        .map(type -> type.toLowerCase(Locale.ROOT).split("[; ]", 2)[0])
        .filter(type -> type.matches("application/openmetrics-text|text/plain|text/\\*|\\*/\\*"))
        .findFirst()
        .filter("application/openmetrics-text"::equals)
        .isPresent();
  }

  private static void answerDocument(Context ctx, String name) throws IOException {
    byte[] document = DOCUMENTS.get(name);
    if (document == null) {
      try (InputStream in = Server.class.getResourceAsStream(name)) {
        document = in.readAllBytes();
      }
      DOCUMENTS.put(name, document);
    }
    answer(ctx, JSON_TYPE, document);
  }

  private void answerStorageFailure(IOException e, Context ctx) {
    LOG.error("{}: {}", shown(ctx), e.toString());
    Problems.answer(
        ctx, new ProblemException(Problem.STORAGE_UNAVAILABLE, "what is stored cannot be read"));
  }

  private void answerFailure(Exception e, Context ctx) {
    LOG.error("{} failed", shown(ctx), e);
    ctx.status(500)
        .contentType(Problems.CONTENT_TYPE)
        .result(
            "{\"title\":\"The server failed\",\"status\":500,\"code\":\"internal\",\"detail\":\"see its log\"}");
  }

  private static void answerError(HttpServletResponse response, Error e) {
    Problems.endIfOutOfMemory(e);
    LOG.error("a request failed", e);
    response.setStatus(500);
  }

  /** The request line, fit for a log: bounded, and without what could break or disguise a line. */
  private static String shown(Context ctx) {
    String line = ctx.method() + " " + ctx.path();
    String start = line.length() <= MAX_SHOWN ? line : line.substring(0, MAX_SHOWN) + "...";
    return start.replaceAll("[^ -~]", "?");
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
                ? NO_ROUTE
                : "this path does not take " + method.name().toUpperCase(Locale.ROOT)));
  }

  /**
   * Answers what was received, closes all connections, and listens no more. The store stays open.
   */
  @Override
  public void close() {
    try {
      long until = System.nanoTime() + SHUTDOWN.toNanos();
      connections.refuseAll();
      trees.shutDown();
      streams.shutDown(SHUTDOWN);
      connections.awaitAnswers(until);
      clock.shutdown();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    javalin.stop();
  }
}
