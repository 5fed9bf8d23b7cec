package sessiontree.web;

import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Handler;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.DaemonThreads;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionStore;

/** The HTTP server: every route, and what stands in front of them. */
public final class Server implements AutoCloseable {
  private static final Duration SHUTDOWN = Duration.ofSeconds(5);
  private static final int DEFAULT_SELECTORS = -1;

  /**
   * Connections that the system makes before they are accepted, if it allows so many. Beyond, a
   * client's system asks again after 1, 2, 4 seconds; of Java's 50 many that come at once do.
   */
  private static final int ACCEPT_QUEUE = 4_096;

  /** None waits for a client; some wait for a disk, with a request in hand. */
  private static final int THREADS = 64;

  /** Of the heap, the part that responses may take until their clients have read them. */
  private static final int PENDING_SHARE = 8;

  private final SessionStore store;
  private final Settings settings;
  private final Metrics metrics;
  private final Connections connections;
  private final Bodies bodies;
  private final Streams streams;
  private final Posting posting;
  private final Trees trees;
  private final Live live;
  private final Javalin javalin;
  private final RunningClock time = new RunningClock(System::nanoTime);
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "clock");
            thread.setDaemon(true);
            return thread;
          });

  /** Write down what is stored of open sessions; each has a session in order meanwhile. */
  private final ExecutorService snapshots =
      Executors.newFixedThreadPool(2, DaemonThreads.named("snapshots"));

  /** Jetty's threads. */
  private Executor pool;

  private Server(SessionStore store, Sessions sessions, Settings settings, Metrics metrics) {
    this.store = store;
    this.settings = settings;
    this.metrics = metrics;
    this.connections =
        new Connections(settings.maxConnections(), settings.requestTimeout(), time, metrics);
    this.streams =
        new Streams(
            sessions, settings.maxMessageBytes(), settings.maxInFlightBytes(), time, metrics);
    this.bodies =
        new Bodies(
            streams.inFlight(),
            settings.maxMessageBytes(),
            settings.requestTimeout(),
            time,
            metrics);
    this.posting = new Posting(sessions, task -> pool.execute(task));
    this.trees = new Trees(store, sessions, snapshots);
    this.live = new Live(store, sessions, snapshots, metrics);
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
      live.tick(System.nanoTime());
      posting.tick(System.nanoTime());
    } catch (OutOfMemoryError e) { // which the scheduler would keep to itself
      Problems.endIfOutOfMemory(e);
    }
  }

  /**
   * Every route, with what serves it. Two are served below Javalin, by handlers of Jetty's: trees,
   * which Javalin would have in memory, writing them by a thread that waits for the client; and
   * streams, as Javalin's WebSocket makes a String of each message.
   */
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
          server.insertHandler(
              new Responses(Runtime.getRuntime().maxMemory() / PENDING_SHARE, metrics));
          server.insertHandler(bodies);
          server.insertHandler(streams.handler(server)); // upgrades of Route.STREAM
          server.insertHandler(trees); // GET and HEAD of Route.SESSION
          server.insertHandler(live); // GET and HEAD of Route.LIVE
          server.insertHandler(new Access(settings.access()));
          server.insertHandler(new Dispatch());
          server.insertHandler(connections);
          server.setErrorHandler(new ProblemErrors());
        });

    Listings listings = new Listings(store);
    Changes changes = new Changes(store, posting, metrics);
    Monitoring monitoring = new Monitoring(store, metrics);
    get(config, Route.SESSIONS, listings::get);
    config.routes.delete(Route.SESSION.template, changes::delete);
    config.routes.post(Route.EVENTS.template, changes::post);
    get(config, Route.STREAM, Streams::refuse); // what asks for no upgrade
    get(config, Route.METRICS, monitoring::getMetrics);
    get(config, Route.HEALTH, monitoring::getHealth);
    get(config, Route.OPENAPI, Documents.get("openapi.json"));
    get(config, Route.ASYNCAPI, Documents.get("asyncapi.json"));
    get(config, Route.INDEX, Assets.get(Assets.INDEX));
    get(config, Route.PAGE, Assets::getOfPage);
    get(config, Route.CLIENT, Assets.get(Assets.CLIENT));
    get(config, Route.CLIENT_TYPES, Assets.get(Assets.TYPES));
    Failures.configure(config);
  }

  /** A route whose HEAD is served as its GET is; Jetty leaves the body out. */
  private static void get(JavalinConfig config, Route route, Handler handler) {
    config.routes.get(route.template, handler);
    config.routes.head(route.template, handler);
  }

  private Connector connector(org.eclipse.jetty.server.Server server, HttpConfiguration http) {
    // Every path reaches a route, which responds in the API's words; ids are checked there.
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
    connector.setIdleTimeout(settings.requestTimeout().toMillis());
    connector.addEventListener(connections);
    return connector;
  }

  /**
   * Responds to what was received, closes all connections, and listens no more. The store stays
   * open.
   */
  @Override
  public void close() {
    try {
      long until = System.nanoTime() + SHUTDOWN.toNanos();
      connections.refuseAll();
      trees.shutDown();
      live.shutDown();
      streams.shutDown(SHUTDOWN);
      connections.awaitResponses(until);
      clock.shutdown();
      snapshots.shutdown();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    javalin.stop();
  }
}
