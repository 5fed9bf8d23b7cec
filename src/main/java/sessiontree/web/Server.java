package sessiontree.web;

import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Handler;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.DaemonThreads;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionStore;

/** The HTTP server: configures every route, and the handlers in front of the routes. */
public final class Server implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Server.class);
  private static final Duration SHUTDOWN = Duration.ofSeconds(5);
  private static final int DEFAULT_SELECTORS = -1;

  /**
   * Length of the queue of connections not accepted yet; the operating system may cap it. A client
   * that finds it full retries after 1, 2, 4 seconds; with Java's default of 50, many clients would
   * when they connect at once.
   */
  private static final int ACCEPT_QUEUE = 4_096;

  /** Jetty's pool size. No thread waits for a client; some wait for a disk during a request. */
  private static final int THREADS = 64;

  /** Divisor of the heap that bounds the responses that clients have not read yet. */
  private static final int PENDING_DIVISOR = 8;

  private final SessionStore store;
  private final Settings settings;
  private final Metrics metrics;
  private final ConnectionLimit connectionLimit;
  private final Bodies bodies;
  private final Streams streams;
  private final PendingWrites pendingWrites;
  private final TreeHandler trees;
  private final Live live;
  private final Javalin javalin;
  private final RunningClock time = new RunningClock(System::nanoTime);
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("clock"));

  /** Two threads that write partial trees of open sessions; each sorts a session in memory. */
  private final ExecutorService snapshots =
      Executors.newFixedThreadPool(2, DaemonThreads.named("snapshots"));

  /** Jetty's threads. Written once, by {@link #configure}. */
  private Executor pool;

  private Server(SessionStore store, Sessions sessions, Settings settings, Metrics metrics) {
    this.store = store;
    this.settings = settings;
    this.metrics = metrics;
    this.connectionLimit =
        new ConnectionLimit(settings.maxConnections(), settings.requestTimeout(), time, metrics);
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
    this.pendingWrites = new PendingWrites(sessions, task -> pool.execute(task), time);
    this.trees = new TreeHandler(store, sessions, snapshots);
    this.live = new Live(store, sessions, snapshots, time, metrics);
    this.javalin = Javalin.create(this::configure);
  }

  /**
   * Creates a server and starts listening.
   *
   * @throws RuntimeException if it cannot listen on the configured address
   */
  public static Server start(
      SessionStore store, Sessions sessions, Settings settings, Metrics metrics) {
    avoidJmx();
    Server server = new Server(store, sessions, settings, metrics);
    server.javalin.start();
    server.checkTimeLimits();
    return server;
  }

  /**
   * Tells Jetty how many references fit into a cache line. Otherwise Jetty asks the JVM over JMX as
   * it is loaded; JMX takes long to load, and nothing else uses it.
   */
  private static void avoidJmx() {
    String property = "org.eclipse.jetty.util.referencesPerCacheLine";
    if (System.getProperty(property) == null) {
      System.setProperty(property, "16"); // a line of 64 bytes, compressed references
    }
  }

  /** Returns the port that the server listens on. */
  public int port() {
    return javalin.port();
  }

  private void checkTimeLimits() {
    for (LongConsumer check :
        List.<LongConsumer>of(
            connectionLimit::tick, bodies::tick, streams::tick, live::tick, pendingWrites::tick)) {
      ScheduledFuture<?> unused =
          clock.scheduleAtFixedRate(guarded(check, time), 1, 1, TimeUnit.SECONDS);
    }
  }

  /** Returns a task that catches failures, as the scheduler never runs a failed task again. */
  static Runnable guarded(LongConsumer check, RunningClock time) {
    return () -> {
      try {
        check.accept(time.nanos());
      } catch (Throwable e) {
        Problems.endIfOutOfMemory(e);
        LOG.error("a check of time limits failed", e);
      }
    };
  }

  /**
   * Configures every route. Trees, live sessions and streams are served by Jetty handlers in front
   * of Javalin: Javalin would hold a whole tree in memory and write it with a thread that waits for
   * the client, and its WebSocket makes a String of each message.
   */
  private void configure(JavalinConfig config) {
    config.startup.showJavalinBanner = false;
    config.startup.showOldJavalinVersionWarning = false;
    config.startup.startupWatcherEnabled = false; // it is a thread that only sleeps
    config.router.ignoreTrailingSlashes = false;
    config.http.prefer405over404 = true;
    config.http.maxRequestSize = Long.MAX_VALUE; // Bodies limits the size
    config.jetty.addConnector(this::connector);
    config.jetty.modifyServer(
        server -> {
          QueuedThreadPool threads = (QueuedThreadPool) server.getThreadPool();
          threads.setMaxThreads(THREADS);
          pool = threads;
          server.addBean(new NoSessions(server));
          // The handler inserted last sees a request first.
          server.insertHandler(
              new Responses(Runtime.getRuntime().maxMemory() / PENDING_DIVISOR, metrics));
          server.insertHandler(bodies);
          server.insertHandler(streams.handler(server)); // upgrades of Route.STREAM
          server.insertHandler(trees); // GET and HEAD of Route.SESSION
          server.insertHandler(live); // GET and HEAD of Route.LIVE
          server.insertHandler(new Queries());
          server.insertHandler(new Access(settings.access()));
          server.insertHandler(new Dispatch());
          server.insertHandler(connectionLimit);
          server.setErrorHandler(new ProblemErrors());
        });

    Listings listings = new Listings(store);
    Writes writes = new Writes(store, pendingWrites, metrics);
    Monitoring monitoring = new Monitoring(store, metrics);
    get(config, Route.SESSIONS, listings::get);
    config.routes.delete(Route.SESSION.template, writes::delete);
    config.routes.post(Route.EVENTS.template, writes::post);
    get(config, Route.STREAM, Streams::refuse); // requests without an upgrade
    get(config, Route.METRICS, monitoring::getMetrics);
    get(config, Route.HEALTH, monitoring::getHealth);
    get(config, Route.OPENAPI, Assets.get(Assets.OPENAPI));
    get(config, Route.ASYNCAPI, Assets.get(Assets.ASYNCAPI));
    get(config, Route.INDEX, Assets.get(Assets.INDEX));
    get(config, Route.PAGE, Assets::getOfPage);
    get(config, Route.CLIENT, Assets.get(Assets.CLIENT));
    get(config, Route.CLIENT_TYPES, Assets.get(Assets.TYPES));
    Failures.configure(config);
  }

  /** Adds a route whose HEAD is served like its GET; Jetty omits the body. */
  private static void get(JavalinConfig config, Route route, Handler handler) {
    config.routes.get(route.template, handler);
    config.routes.head(route.template, handler);
  }

  private Connector connector(org.eclipse.jetty.server.Server server, HttpConfiguration http) {
    // Jetty accepts every path, so that routes check the ids, and respond to errors with problems.
    http.setUriCompliance(UriCompliance.UNSAFE);
    http.setSendServerVersion(false);
    http.addCustomizer(new RequestCustomizer());
    http.setHeaderCacheSize(0); // the cache would take 64 KiB a connection
    http.setUseInputDirectByteBuffers(false); // heap buffers: messages are parsed in place
    // No acceptor thread: the selector thread accepts connections, which saves a thread switch.
    ServerConnector connector =
        new ServerConnector(server, 0, DEFAULT_SELECTORS, new HttpConnections(http));
    connector.setHost(settings.host());
    connector.setPort(settings.port());
    connector.setAcceptQueueSize(ACCEPT_QUEUE);
    connector.setIdleTimeout(settings.requestTimeout().toMillis());
    connector.addEventListener(connectionLimit);
    return connector;
  }

  /**
   * Responds to the requests received so far, closes all connections, and stops listening. The
   * store stays open.
   */
  @Override
  public void close() {
    try {
      long until = System.nanoTime() + SHUTDOWN.toNanos();
      connectionLimit.refuseAll();
      bodies.shutDown();
      pendingWrites.shutDown();
      trees.shutDown();
      live.shutDown();
      streams.shutDown(SHUTDOWN);
      connectionLimit.awaitResponses(until);
      clock.shutdown();
      snapshots.shutdown();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    javalin.stop();
  }
}
