package sessiontree;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import sessiontree.store.MemoryStore;
import sessiontree.store.SessionStore;
import sessiontree.store.local.LocalStore;
import sessiontree.web.Server;

/**
 * The command line: what is said there, or by the environment, wired together, and taken down in
 * order.
 */
@Command(
    name = "sessiontree",
    description =
        "Takes in the events of user sessions over WebSocket or HTTP, and gives back one sorted JSON tree a session.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    showDefaultValues = true,
    sortOptions = false,
    footer = {
      "",
      "Each option may also be an environment variable, such as SESSIONTREE_PORT; an option beats it.",
      "Exit codes: 0 stopped, 1 could not start, 2 wrong usage."
    })
public final class Main implements Callable<Integer> {
  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      defaultValue = "127.0.0.1",
      description = "The address to listen on.")
  private String host;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      defaultValue = "8080",
      description = "The port; 0 takes a free one.")
  private int port;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      defaultValue = "./data",
      description = "The folder to keep sessions in; \"memory:\" keeps nothing.")
  private String store;

  @Option(
      names = "--max-message-bytes",
      paramLabel = "BYTES",
      defaultValue = "1048576",
      description = "Bytes of one message at most.")
  private int maxMessageBytes;

  @Option(
      names = "--memory-bytes",
      paramLabel = "BYTES",
      description =
          "Bytes of open sessions' events in memory at most; what is more lies on disk. Default: a quarter of the heap.")
  private Long memoryBytes;

  @Option(
      names = "--log-bytes",
      paramLabel = "BYTES",
      defaultValue = "67108864",
      description = "Bytes of the write-ahead log at most, so that a restart is bounded too.")
  private long logBytes;

  @Option(
      names = "--inflow-bytes",
      paramLabel = "BYTES",
      description =
          "Bytes received on all streams and not answered at most; then clients wait. Default: an eighth of the heap.")
  private Long inflowBytes;

  private Main() {}

  public static void main(String[] args) {
    // Whoever runs the server sets levels by the same names:
    // -Dorg.slf4j.simpleLogger.defaultLogLevel=debug
    setDefault("org.slf4j.simpleLogger.showDateTime", "true");
    setDefault("org.slf4j.simpleLogger.dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
    setDefault("org.slf4j.simpleLogger.log.org.eclipse.jetty", "warn");
    setDefault("org.slf4j.simpleLogger.log.io.javalin", "off");
    int code = commandLine().execute(args);
    if (code != RUNNING) {
      System.exit(code);
    }
  }

  private static final int RUNNING = -1;

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static CommandLine commandLine() {
    CommandLine line = new CommandLine(new Main());
    line.setDefaultValueProvider(Main::fromEnvironment);
    line.setParameterExceptionHandler(
        (e, args) -> {
          System.err.println("sessiontree: " + e.getMessage() + " (see --help)");
          return CommandLine.ExitCode.USAGE;
        });
    line.setExecutionExceptionHandler(
        (e, commandLine, result) -> {
          System.err.println("sessiontree: " + oneLine(e));
          return CommandLine.ExitCode.SOFTWARE;
        });
    return line;
  }

  private static String fromEnvironment(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option)) {
      return null;
    }
    String name = option.longestName().substring(2).toUpperCase(Locale.ROOT).replace('-', '_');
    return System.getenv("SESSIONTREE_" + name);
  }

  @Override
  public Integer call() throws Exception {
    atLeast("--port", port, 0);
    atMost("--port", port, 65_535);
    atLeast("--max-message-bytes", maxMessageBytes, 1);
    atMost("--max-message-bytes", maxMessageBytes, 256 << 20);
    atLeast("--log-bytes", logBytes, 64 << 10);
    long heapBytes = Runtime.getRuntime().maxMemory();
    memoryBytes = memoryBytes == null ? heapBytes / 4 : memoryBytes;
    inflowBytes = inflowBytes == null ? heapBytes / 8 : inflowBytes;
    atLeast("--memory-bytes", memoryBytes, 64 << 10);
    atLeast("--inflow-bytes", inflowBytes, 64 << 10);
    SessionStore sessions = openStore();
    Server server;
    try {
      server = Server.start(sessions, host, port, maxMessageBytes, inflowBytes);
    } catch (RuntimeException e) {
      sessions.close();
      throw new IOException(
          "cannot listen on " + host + ":" + port + ": " + root(e).getMessage(), e);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> shutDown(server, sessions), "shutdown"));
    String shown = host.contains(":") ? "[" + host + "]" : host;
    System.out.println("sessiontree listening on http://" + shown + ":" + server.port());
    return RUNNING;
  }

  private void atLeast(String option, long value, long least) {
    if (value < least) {
      throw usage(option + " must be >= " + least + "; got " + value);
    }
  }

  private void atMost(String option, long value, long most) {
    if (value > most) {
      throw usage(option + " must be <= " + most + "; got " + value);
    }
  }

  private CommandLine.ParameterException usage(String message) {
    return new CommandLine.ParameterException(new CommandLine(this), message);
  }

  private SessionStore openStore() throws IOException {
    if (store.equals("memory:")) {
      return MemoryStore.create();
    }
    try {
      return LocalStore.open(Path.of(store), new LocalStore.Options(memoryBytes, logBytes));
    } catch (IOException e) {
      throw new IOException("cannot use store " + store + ": " + reason(e), e);
    }
  }

  private static String reason(IOException e) {
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
   * What was received is answered before the store is closed, and all that was answered is on disk.
   */
  private static void shutDown(Server server, SessionStore sessions) {
    int code = CommandLine.ExitCode.OK;
    try {
      server.close();
      sessions.close();
    } catch (Exception e) {
      System.err.println("sessiontree: did not stop in order: " + oneLine(e));
      code = CommandLine.ExitCode.SOFTWARE;
    }
    Runtime.getRuntime().halt(code); // a JVM that is asked to end exits with 143 by itself
  }

  /** The version, from the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"sessiontree " + (version == null ? "(not from a jar)" : version)};
    }
  }
}
