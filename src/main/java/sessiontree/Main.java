package sessiontree;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.ParseException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.session.Housekeeper;
import sessiontree.session.Sessions;
import sessiontree.store.MemoryStore;
import sessiontree.store.SessionStore;
import sessiontree.store.local.LocalStore;
import sessiontree.store.local.LocalStoreOptions;
import sessiontree.store.postgres.PostgresStore;
import sessiontree.web.Server;

/** The entry point: wires the server together as configured, and shuts it down in order. */
public final class Main {
  // Exit codes.
  private static final int STOPPED = 0;
  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;

  private final Config config;

  private Main(Config config) {
    this.config = config;
  }

  /** Starts the server, which runs until the process is terminated. */
  public static void main(String[] args) {
    OutOfMemory.endsTheProcess();
    spareLocales();
    try {
      if (args.length > 0 && args[0].equals("copy")) {
        setUpLogs(Config.Level.warn);
        List<String> arguments = List.of(args).subList(1, args.length);
        boolean whole = Copy.run(arguments, System.getenv(Config.STORE_PASSWORD));
        System.exit(whole ? STOPPED : FAILED);
      }
      CommandLine line = Flags.parse(args);
      if (line.hasOption("help")) {
        Flags.help(System.out);
      } else if (line.hasOption("version")) {
        System.out.println(Build.read());
      } else {
        new Main(new Config(line, System::getenv)).start();
      }
    } catch (ParseException e) {
      System.err.println("sessiontree: " + oneLine(e) + " (see --help)");
      System.exit(WRONG_USAGE);
    } catch (Exception e) {
      System.err.println("sessiontree: " + oneLine(e));
      System.exit(FAILED);
    }
  }

  /** Disables the JDK's locale data, which no output needs: loading it is a sixth of the start. */
  private static void spareLocales() {
    setDefault("java.locale.providers", "SPI");
  }

  private void start() throws IOException {
    setUpLogs(config.logLevel);
    Metrics metrics = new Metrics();
    Build build = Build.read();
    metrics.buildInfo(build.version, build.commit);
    SessionStore store = openStore(metrics);
    Sessions sessions = new Sessions(store, config.maxOpenSessions, metrics);
    if (store instanceof PostgresStore shared) {
      shared.follow(sessions::watched, sessions::changed);
    }
    Server server;
    try {
      server = Server.start(store, sessions, config.settings(), metrics);
    } catch (RuntimeException e) {
      store.close();
      throw new IOException(
          "cannot listen on " + authority(config.port) + ": " + whyNot(root(e)), e);
    }
    Housekeeper housekeeper =
        Housekeeper.start(store, sessions, config.abandonAfter, config.deleteAfter);
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> shutDown(server, housekeeper, store), "shutdown"));
    warnIfOpenToAll();
    LoggerFactory.getLogger(Main.class)
        .info(
            "{} started store={} heap_bytes={} {}",
            build,
            config.storeName(),
            Runtime.getRuntime().maxMemory(),
            config.limits());
    System.out.println("sessiontree listening on http://" + authority(server.port()));
  }

  /** Returns host and port as in a URL. */
  private String authority(int port) {
    return (config.host.contains(":") ? "[" + config.host + "]" : config.host) + ":" + port;
  }

  private static String whyNot(Throwable e) {
    return e instanceof UnresolvedAddressException ? "there is no such host" : e.getMessage();
  }

  /** Configures logging, before the first logger is made. Properties set by -D are kept. */
  private static void setUpLogs(Config.Level level) {
    setLogDefault("defaultLogLevel", level.name());
    setLogDefault("showDateTime", "true");
    setLogDefault("dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
    String jetty = level == Config.Level.error ? "error" : "warn";
    setLogDefault("log.org.eclipse.jetty", jetty);
    // Jetty's extensions log each frame under the name of their subclass.
    setLogDefault("log.sessiontree.web.MessageCompression", jetty);
    // Both quote the requests that they refuse, at any length and with control characters.
    setLogDefault("log.org.eclipse.jetty.http.HttpParser", "off");
    setLogDefault("log.org.eclipse.jetty.util.HostPort", "off");
    setLogDefault("log.io.javalin", "off");
  }

  private static void setLogDefault(String name, String value) {
    setDefault("org.slf4j.simpleLogger." + name, value);
  }

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private void warnIfOpenToAll() throws IOException {
    boolean write = config.writeTokens.isEmpty() && !config.jwts.hasKeys();
    boolean read = config.readTokens.isEmpty() && !config.jwts.hasKeys();
    if ((write || read) && !InetAddress.getByName(config.host).isLoopbackAddress()) {
      Logger log = LoggerFactory.getLogger(Main.class);
      log.warn(
          "anyone who can reach {} may {}",
          config.host,
          write && read
              ? "read and write; set --write-token and --read-token"
              : write ? "write; set --write-token" : "read; set --read-token");
    }
  }

  private SessionStore openStore(Metrics metrics) throws IOException {
    if (config.store.equals("memory:")) {
      return MemoryStore.create();
    }
    try {
      if (config.isShared()) {
        return PostgresStore.open(
            config.store,
            config.storePassword(),
            PostgresStore.Options.of(config.memoryBytes),
            metrics);
      }
      return LocalStore.open(
          Path.of(config.store),
          new LocalStoreOptions(config.memoryBytes, config.logBytes),
          metrics);
    } catch (IOException e) {
      throw new IOException("cannot use store " + config.storeName() + ": " + reason(e), e);
    }
  }

  /** Returns, in a few words, why a file cannot be used. */
  static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return "access denied to " + e.getMessage();
    }
    if (e instanceof FileSystemException fileSystem && fileSystem.getReason() == null) {
      return e.getClass().getSimpleName().replace("Exception", "") + " " + e.getMessage();
    }
    return e.getMessage();
  }

  private static Throwable root(Throwable e) {
    return e.getCause() == null ? e : root(e.getCause());
  }

  private static String oneLine(Throwable e) {
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    return message.lines().findFirst().orElse(e.toString());
  }

  /**
   * Stops the server. Messages that were received get their results before the store is closed, and
   * everything acknowledged is on disk.
   */
  private static void shutDown(Server server, Housekeeper housekeeper, SessionStore store) {
    int code = FAILED;
    try {
      housekeeper.close();
      server.close();
      store.close();
      LoggerFactory.getLogger(Main.class).info("stopped");
      code = STOPPED;
    } catch (Exception e) {
      System.err.println("sessiontree: shutdown failed: " + oneLine(e));
    } finally {
      Runtime.getRuntime().halt(code); // without halt, a JVM stopped by SIGTERM exits with 143
    }
  }

  /** The version and the commit, from the jar's manifest. */
  private record Build(String version, String commit) {
    static Build read() throws IOException {
      String version = Main.class.getPackage().getImplementationVersion();
      if (version == null) { // not run from a jar
        return new Build("unknown", "unknown");
      }
      try (var in = Main.class.getResourceAsStream("/META-INF/MANIFEST.MF")) {
        Attributes manifest = new Manifest(in).getMainAttributes();
        String commit = manifest.getValue("Implementation-Commit");
        boolean known = commit != null && commit.matches("[0-9a-f]+"); // if built in a repository
        return new Build(version, known ? commit : "unknown");
      }
    }

    @Override
    public String toString() {
      return "sessiontree " + version + " (commit " + commit + ")";
    }
  }
}
