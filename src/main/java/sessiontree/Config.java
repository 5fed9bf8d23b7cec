package sessiontree;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import sessiontree.web.Settings;

/** What can be set, by options and by the environment, with its defaults and its bounds. */
final class Config {
  private static final Pattern ORIGIN = Pattern.compile("\\*|[a-z][a-z0-9+.-]*://[^/?#@,\\s]+");
  private static final Pattern TOKEN = Pattern.compile("[!-~]{1,4096}");

  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      defaultValue = "127.0.0.1",
      description = "The address to listen on.")
  String host;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      defaultValue = "8080",
      description = "The port; 0 takes a free one.")
  int port;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      defaultValue = "./data",
      description = "The folder to keep sessions in; \"memory:\" keeps nothing.")
  String store;

  @Option(
      names = "--write-token",
      paramLabel = "TOKEN",
      description =
          "What a client must know to stream and post: the token, or @FILE that holds it. Default: nothing.")
  String writeToken;

  @Option(
      names = "--read-token",
      paramLabel = "TOKEN",
      description =
          "What a client must know to read, list, delete and see metrics: the token, or @FILE. Default: nothing.")
  String readToken;

  @Option(
      names = "--allowed-origin",
      paramLabel = "ORIGIN",
      split = ",",
      showDefaultValue = CommandLine.Help.Visibility.NEVER,
      description =
          "Pages from there may connect and read, such as https://example.org; * for all. May be repeated. Default: only the server's own.")
  List<String> allowedOrigins = List.of();

  @Option(
      names = "--abandon-after",
      paramLabel = "TIME",
      converter = Time.class,
      description =
          "A session with nothing new for so long, while the server runs, is ended; such as 24h, 90s or PT24H. Default: never.")
  Duration abandonAfter;

  @Option(
      names = "--delete-after",
      paramLabel = "TIME",
      converter = Time.class,
      description = "A complete session is deleted so long after it completed. Default: never.")
  Duration deleteAfter;

  @Option(
      names = "--max-message-bytes",
      paramLabel = "BYTES",
      defaultValue = "1048576",
      description = "Bytes of one message at most.")
  int maxMessageBytes;

  @Option(
      names = "--max-connections",
      paramLabel = "COUNT",
      defaultValue = "100000",
      description = "Connections at a time; further ones get 503.")
  int maxConnections;

  @Option(
      names = "--max-open-sessions",
      paramLabel = "COUNT",
      defaultValue = "10000000",
      description = "Sessions that are open at a time; a further one gets 503.")
  int maxOpenSessions;

  @Option(
      names = "--request-timeout",
      paramLabel = "TIME",
      defaultValue = "30s",
      converter = Time.class,
      description =
          "How long a request's head may take, its body at 1 KiB a second, and an idle HTTP connection.")
  Duration requestTimeout;

  @Option(
      names = "--memory-bytes",
      paramLabel = "BYTES",
      description =
          "Bytes of open sessions' events in memory at most; what is more lies on disk. Default: a quarter of the heap.")
  Long memoryBytes;

  @Option(
      names = "--log-bytes",
      paramLabel = "BYTES",
      defaultValue = "67108864",
      description = "Bytes of the write-ahead log at most, so that a restart is bounded too.")
  long logBytes;

  @Option(
      names = "--inflow-bytes",
      paramLabel = "BYTES",
      description =
          "Bytes received from all clients and not answered at most; then they wait. Default: an eighth of the heap.")
  Long inflowBytes;

  @Option(
      names = "--log-level",
      paramLabel = "LEVEL",
      defaultValue = "info",
      description = "What goes to standard error: ${COMPLETION-CANDIDATES}.")
  Level logLevel;

  /** How much is told. */
  enum Level {
    error,
    warn,
    info,
    debug,
    trace
  }

  /** Checks what the options' types do not, and fills in what depends on the heap. */
  void complete() {
    if (host.isBlank()) { // which Java takes for a loopback address
      throw usage("--host must be an address; got none");
    }
    if (store.isBlank()) { // which would be the working directory itself
      throw usage("--store must be a folder or memory:; got none");
    }
    atLeast("--port", port, 0);
    atMost("--port", port, 65_535);
    atLeast("--max-message-bytes", maxMessageBytes, 1);
    atMost("--max-message-bytes", maxMessageBytes, 256 << 20);
    atLeast("--max-connections", maxConnections, 1);
    atMost("--max-connections", maxConnections, 1_000_000_000);
    atLeast("--max-open-sessions", maxOpenSessions, 1);
    atLeast("--log-bytes", logBytes, 64 << 10);
    long heapBytes = Runtime.getRuntime().maxMemory();
    memoryBytes = memoryBytes == null ? heapBytes / 4 : memoryBytes;
    inflowBytes = inflowBytes == null ? heapBytes / 8 : inflowBytes;
    atLeast("--memory-bytes", memoryBytes, 64 << 10);
    atLeast("--inflow-bytes", inflowBytes, 64 << 10);
    writeToken = token("--write-token", writeToken);
    readToken = token("--read-token", readToken);
    for (String origin : allowedOrigins) {
      if (!ORIGIN.matcher(origin.toLowerCase(Locale.ROOT)).matches()) {
        throw usage(
            "--allowed-origin must be * or like https://example.org:8443, without a path; got "
                + origin);
      }
    }
    if (store.matches("(?!memory:$)[a-z]{2,}:.*")) {
      throw usage("--store must be a folder or memory:; got " + store);
    }
  }

  Settings settings() {
    return new Settings(
        host,
        port,
        maxMessageBytes,
        inflowBytes,
        maxConnections,
        requestTimeout,
        writeToken,
        readToken,
        allowedOrigins);
  }

  private static void atLeast(String option, long value, long least) {
    if (value < least) {
      throw usage(option + " must be >= " + least + "; got " + value);
    }
  }

  private static void atMost(String option, long value, long most) {
    if (value > most) {
      throw usage(option + " must be <= " + most + "; got " + value);
    }
  }

  /** The token, which a file may hold. What is wrong with it is told without it. */
  private static String token(String option, String value) {
    if (value == null) {
      return null;
    }
    String token = value;
    if (value.startsWith("@")) {
      try {
        token = Files.readString(Path.of(value.substring(1))).strip();
      } catch (IOException e) {
        throw usage(option + " cannot read " + value.substring(1) + ": " + Main.reason(e));
      }
    }
    if (!TOKEN.matcher(token).matches()) {
      throw usage(option + " must be 1 to 4096 visible ASCII characters without spaces");
    }
    return token;
  }

  private static CommandLine.ParameterException usage(String message) {
    return new CommandLine.ParameterException(new CommandLine(new Main()), message);
  }

  /**
   * What an option is where it is not given: the variable of its name, such as SESSIONTREE_PORT.
   */
  static String fromEnvironment(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option)) {
      return null;
    }
    String name = option.longestName().substring(2).toUpperCase(Locale.ROOT).replace('-', '_');
    return System.getenv("SESSIONTREE_" + name);
  }

  /** A length of time: 90s, 30m, 24h, 7d, or ISO 8601's PT24H. */
  static final class Time implements ITypeConverter<Duration> {
    private static final Pattern SHORT = Pattern.compile("([0-9]{1,9})(s|m|h|d)");

    @Override
    public Duration convert(String value) {
      Duration time;
      Matcher given = SHORT.matcher(value);
      if (given.matches()) {
        long count = Long.parseLong(given.group(1));
        time =
            switch (given.group(2)) {
              case "s" -> Duration.ofSeconds(count);
              case "m" -> Duration.ofMinutes(count);
              case "h" -> Duration.ofHours(count);
              default -> Duration.ofDays(count);
            };
      } else {
        try {
          time = Duration.parse(value);
        } catch (DateTimeParseException e) {
          throw new TypeConversionException(
              "must be a time such as 90s, 24h, 7d or PT24H; got " + value);
        }
      }
      if (time.compareTo(Duration.ofSeconds(1)) < 0 || time.compareTo(MOST) > 0) {
        throw new TypeConversionException("must be from 1s to 36500d; got " + value);
      }
      return time;
    }

    private static final Duration MOST = Duration.ofDays(36_500);
  }
}
