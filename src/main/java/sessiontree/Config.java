package sessiontree;

import static java.util.Comparator.comparingInt;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.help.HelpFormatter;
import org.apache.commons.cli.help.OptionFormatter;
import org.apache.commons.cli.help.TextHelpAppendable;
import sessiontree.store.postgres.PostgresStore;
import sessiontree.web.Jwts;
import sessiontree.web.Origin;
import sessiontree.web.Settings;

/** What can be set, by options and by the environment, with its defaults and its bounds. */
final class Config {
  /** The variable of the database's password. */
  static final String STORE_PASSWORD = "SESSIONTREE_STORE_PASSWORD";

  private static final Pattern HOST = Pattern.compile("\\*|[a-z0-9_-]+(\\.[a-z0-9_-]+)*");
  private static final Pattern TOKEN = Pattern.compile("[!-~&&[^,]]{1,4096}");
  private static final Pattern TIME = Pattern.compile("([0-9]{1,9})(s|m|h|d)");
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,18})([kmgKMG]?)");

  /** What Kubernetes sets SESSIONTREE_PORT to, where a service is named sessiontree. */
  private static final Pattern SERVICE_LINK = Pattern.compile("(tcp|udp|sctp)://.*");

  private static final Duration MOST_TIME = Duration.ofDays(36_500);

  /**
   * An open session without events takes half a KiB of heap, and nearly 2 KiB with the longest id
   * and timestamp; events, and what is received and sent, have bounds of their own.
   */
  private static final int HEAP_BYTES_A_SESSION = 4 << 10;

  /**
   * A connection whose client takes nothing of what it asks for holds 16 KiB of it at most, and
   * some 10 KiB of buffers; the rest of the heap is for what has bounds of its own.
   */
  private static final int HEAP_BYTES_A_CONNECTION = 64 << 10;

  private static final int MOST_CONNECTIONS = 100_000;

  private static final Options OPTIONS = new Options();
  private static final Map<String, String> DEFAULTS = new HashMap<>();

  static {
    add("host", "ADDRESS", "127.0.0.1", "The address to listen on.");
    add("port", "PORT", "8080", "The port; 0 takes a free one.");
    add(
        "store",
        "DIR",
        "./data",
        "The folder to keep sessions in; or postgresql://USER@HOST:5432/DATABASE, which any number of servers share; \"memory:\" keeps nothing.");
    add(
        "write-token",
        "TOKEN",
        null,
        "A token that streams and posts, or @FILE that holds tokens, one a line. May be repeated. Default: everybody may.");
    add(
        "read-token",
        "TOKEN",
        null,
        "A token that reads, lists and sees metrics, or @FILE. May be repeated. Default: everybody may.");
    add(
        "admin-token",
        "TOKEN",
        null,
        "A token that does all that, and deletes, or @FILE. May be repeated. Default: everybody deletes if there is no token at all, otherwise nobody.");
    add(
        "jwt-key",
        "KEY",
        null,
        "A secret of 32 bytes or more, or @FILE that holds one or a PEM public key: takes JWTs of HS256, RS256 or ES256 that it signed. May be repeated. Default: none.");
    add(
        "allowed-origin",
        "ORIGIN",
        null,
        "Pages from there may connect and read, such as https://example.org; * for all. May be repeated. Default: only the server's own.");
    add(
        "allowed-host",
        "NAME",
        null,
        "A name by which a server without tokens is reached, besides localhost and addresses; * for all. May be repeated. Default: none.");
    add(
        "abandon-after",
        "TIME",
        null,
        "A session with nothing new for so long, while the server runs, is ended; such as 24h, 90s or PT24H. Default: never.");
    add(
        "delete-after",
        "TIME",
        null,
        "A complete session is deleted so long after it completed. Default: never.");
    add("max-message-bytes", "BYTES", "1048576", "Bytes of one message at most.");
    add(
        "max-connections",
        "COUNT",
        null,
        "Connections at a time; further ones get 503. Default: one for 64 KiB of heap, 100000 at most.");
    add(
        "max-open-sessions",
        "COUNT",
        null,
        "Sessions that are open at a time; a further one gets 503. Default: one for each 4 KiB of the heap.");
    add(
        "request-timeout",
        "TIME",
        "30s",
        "How long a request's head may take, its body at 1 KiB a second, and an idle HTTP connection.");
    add(
        "memory-bytes",
        "BYTES",
        null,
        "Bytes of open sessions' events in memory at most; what is more lies on disk. Default: a quarter of the heap.");
    add(
        "log-bytes",
        "BYTES",
        "536870912",
        "Bytes of the write-ahead log at most, so that a restart is bounded too.");
    add(
        "inflow-bytes",
        "BYTES",
        null,
        "Bytes received from all clients and not answered at most; then they wait. Default: an eighth of the heap.");
    add(
        "log-level",
        "LEVEL",
        "info",
        "What goes to standard error: error, warn, info, debug, trace.");
    OPTIONS.addOption("h", "help", false, "Show this and exit.");
    OPTIONS.addOption("V", "version", false, "Show the version and exit.");
  }

  private static void add(String name, String argument, String otherwise, String description) {
    String told = otherwise == null ? "" : " Default: " + otherwise + ".";
    OPTIONS.addOption(
        Option.builder().longOpt(name).hasArg().argName(argument).desc(description + told).get());
    DEFAULTS.put(name, otherwise);
  }

  private final CommandLine line;
  private final UnaryOperator<String> environment;

  final String host;
  final int port;
  final String store;
  final List<String> writeTokens;
  final List<String> readTokens;
  final List<String> adminTokens;
  final Jwts jwts;
  final List<String> allowedOrigins;
  final List<String> allowedHosts;
  final Duration abandonAfter; // null for never
  final Duration deleteAfter; // likewise
  final int maxMessageBytes;
  final int maxConnections;
  final int maxOpenSessions;
  final Duration requestTimeout;
  final long memoryBytes;
  final long logBytes;
  final long inflowBytes;
  final Level logLevel;

  /** How much is told. */
  enum Level {
    error,
    warn,
    info,
    debug,
    trace
  }

  /**
   * Reads options; where one is not given, the variable of its name, such as SESSIONTREE_PORT.
   *
   * @throws ParseException if one is wrong; its message says which, and why
   */
  Config(CommandLine line, UnaryOperator<String> environment) throws ParseException {
    this.line = line;
    this.environment = environment;
    host = value("host").replaceFirst("^\\[(.*:.*)]$", "$1"); // as an IPv6 address is in a URL
    check( // which Java takes for loopback
        !host.isBlank(), setBy("host") + ": must be an address; got none");
    port = whole("port", 0, 65_535);
    store = value("store");
    checkStore();
    writeTokens = tokens("write-token");
    readTokens = tokens("read-token");
    adminTokens = tokens("admin-token");
    jwts = jwts();
    allowedOrigins = origins();
    allowedHosts = hosts();
    abandonAfter = time("abandon-after");
    deleteAfter = time("delete-after");
    maxMessageBytes = (int) bytes("max-message-bytes", 0, 1, 256 << 20);
    requestTimeout = time("request-timeout");
    long heapBytes = Runtime.getRuntime().maxMemory();
    maxConnections =
        value("max-connections") == null
            ? (int) Math.min(MOST_CONNECTIONS, heapBytes / HEAP_BYTES_A_CONNECTION)
            : whole("max-connections", 1, 1_000_000_000);
    maxOpenSessions =
        value("max-open-sessions") == null
            ? (int) Math.min(Integer.MAX_VALUE, heapBytes / HEAP_BYTES_A_SESSION)
            : whole("max-open-sessions", 1, Integer.MAX_VALUE);
    memoryBytes = bytes("memory-bytes", heapBytes / 4, 64 << 10, Long.MAX_VALUE);
    logBytes = bytes("log-bytes", 0, 64 << 10, Long.MAX_VALUE);
    inflowBytes = bytes("inflow-bytes", heapBytes / 8, 64 << 10, Long.MAX_VALUE);
    logLevel = level();
  }

  private void checkStore() throws ParseException {
    if (isShared()) {
      try {
        PostgresStore.check(store);
      } catch (IllegalArgumentException e) { // says nothing of the password
        throw new ParseException(setBy("store") + ": " + e.getMessage());
      }
      return;
    }
    check( // or it would be the working directory itself
        !store.isBlank() && !store.matches("(?!memory:$)[a-z]{2,}:.*"),
        setBy("store") + ": must be a folder, postgresql:// or memory:; got " + store);
  }

  /** Whether the store is a database. */
  boolean isShared() {
    return store.matches("postgres(ql)?:.*");
  }

  /** The database's password, where it does not stand in the store's URI; or null. */
  String storePassword() {
    return environment.apply(STORE_PASSWORD);
  }

  /** The store as it may stand in a log. */
  String storeName() {
    return isShared() ? PostgresStore.withoutPassword(store) : store;
  }

  /** Takes options, and "help" and "version", apart; their values are not looked at. */
  static CommandLine parse(String[] arguments) throws ParseException {
    CommandLine line;
    try {
      line =
          DefaultParser.builder()
              .setAllowPartialMatching(false)
              .setStripLeadingAndTrailingQuotes(false)
              .get()
              .parse(OPTIONS, arguments);
    } catch (MissingArgumentException e) {
      throw new ParseException("--" + e.getOption().getLongOpt() + ": needs a value");
    }
    check(line.getArgList().isEmpty(), "not an option: " + String.join(" ", line.getArgList()));
    return line;
  }

  private static void check(boolean right, String problem) throws ParseException {
    if (!right) {
      throw new ParseException(problem);
    }
  }

  /** What is given for an option, or its default; or null. */
  private String value(String name) throws ParseException {
    String[] given = line.getOptionValues(name);
    if (given != null) {
      check(given.length == 1, "--" + name + ": is given twice");
      return given[0];
    }
    String variable = environment.apply(variable(name));
    if (variable == null
        || variable.isEmpty()
        || (name.equals("port") && SERVICE_LINK.matcher(variable).matches())) {
      return DEFAULTS.get(name);
    }
    return variable;
  }

  private static String variable(String name) {
    return "SESSIONTREE_" + name.toUpperCase(Locale.ROOT).replace('-', '_');
  }

  /** Where an option's value is from, which is the option or its variable. */
  private String setBy(String name) {
    return line.hasOption(name) ? "--" + name : variable(name);
  }

  /**
   * All that is given for an option that may be repeated; a variable's parts have commas between
   * them.
   */
  private List<String> values(String name) {
    String[] given = line.getOptionValues(name);
    if (given != null) {
      return List.of(given);
    }
    String variable = environment.apply(variable(name));
    return variable == null || variable.isEmpty() ? List.of() : List.of(variable.split(",", -1));
  }

  private int whole(String name, int least, int most) throws ParseException {
    String value = value(name);
    try {
      return (int) checkBounds(name, Long.parseLong(value), least, most);
    } catch (NumberFormatException e) {
      throw new ParseException(setBy(name) + ": must be a whole number; got " + value);
    }
  }

  private long bytes(String name, long otherwise, long least, long most) throws ParseException {
    String value = value(name);
    if (value == null) {
      return otherwise;
    }
    Matcher size = SIZE.matcher(value);
    check(
        size.matches(),
        setBy(name) + ": must be bytes, such as 65536, 64k, 16m or 1g; got " + value);
    long unit =
        switch (size.group(2).toLowerCase(Locale.ROOT)) {
          case "k" -> 1 << 10;
          case "m" -> 1 << 20;
          case "g" -> 1 << 30;
          default -> 1;
        };
    return checkBounds(name, saturatedProduct(Long.parseLong(size.group(1)), unit), least, most);
  }

  private static long saturatedProduct(long count, long unit) {
    return count > Long.MAX_VALUE / unit ? Long.MAX_VALUE : count * unit;
  }

  private long checkBounds(String name, long number, long least, long most) throws ParseException {
    check(number >= least, setBy(name) + ": must be >= " + least + "; got " + number);
    check(number <= most, setBy(name) + ": must be <= " + most + "; got " + number);
    return number;
  }

  private Level level() throws ParseException {
    String value = value("log-level");
    try {
      return Level.valueOf(value);
    } catch (IllegalArgumentException e) {
      throw new ParseException(
          setBy("log-level")
              + ": must be one of "
              + Arrays.toString(Level.values())
              + "; got "
              + value);
    }
  }

  private List<String> origins() throws ParseException {
    List<String> origins = new ArrayList<>();
    for (String given : parts("allowed-origin")) {
      try {
        origins.add(Origin.normalized(given));
      } catch (IllegalArgumentException e) { // which an IDN that cannot be encoded is, too
        throw new ParseException(
            setBy("allowed-origin")
                + ": must be * or the origin of a page, like https://example.org:8443, without a path or a wildcard; got "
                + given);
      }
    }
    return origins;
  }

  private List<String> hosts() throws ParseException {
    List<String> hosts = new ArrayList<>();
    for (String given : parts("allowed-host")) {
      String host = given.toLowerCase(Locale.ROOT);
      check(
          HOST.matcher(host).matches(),
          setBy("allowed-host")
              + ": must be * or a name like sessions.example.org, without a port; got "
              + given);
      hosts.add(host);
    }
    return hosts;
  }

  /** All that is given, where commas separate as well. */
  private List<String> parts(String name) {
    return values(name).stream().flatMap(value -> Stream.of(value.split(",", -1))).toList();
  }

  /** Tokens, which files may hold, one a line. What is wrong with one is told without it. */
  private List<String> tokens(String name) throws ParseException {
    List<String> tokens = new ArrayList<>();
    for (String value : values(name)) {
      if (value.startsWith("@")) {
        int before = tokens.size();
        read(name, value.substring(1))
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty())
            .forEach(tokens::add);
        check(tokens.size() > before, setBy(name) + ": finds no token in " + value.substring(1));
      } else {
        tokens.add(value);
      }
    }
    for (String token : tokens) {
      check(
          TOKEN.matcher(token).matches(),
          setBy(name) + ": must be 1 to 4096 visible ASCII characters without spaces and commas");
    }
    return tokens;
  }

  /** Keys of JWTs, each of which a file may hold. What is wrong with one is told without it. */
  private Jwts jwts() throws ParseException {
    List<String> keys = new ArrayList<>();
    for (String value : values("jwt-key")) {
      keys.add(value.startsWith("@") ? read("jwt-key", value.substring(1)).strip() : value);
    }
    try {
      return Jwts.of(keys);
    } catch (IllegalArgumentException e) {
      throw new ParseException(setBy("jwt-key") + ": " + e.getMessage());
    }
  }

  private String read(String name, String file) throws ParseException {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new ParseException(setBy(name) + ": cannot read " + file + ": " + Main.reason(e));
    }
  }

  /** A length of time: 90s, 30m, 24h, 7d, or ISO 8601's PT24H; or null. */
  private Duration time(String name) throws ParseException {
    String value = value(name);
    if (value == null) {
      return null;
    }
    Duration time;
    Matcher given = TIME.matcher(value);
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
        throw new ParseException(
            setBy(name) + ": must be a time such as 90s, 24h, 7d or PT24H; got " + value);
      }
    }
    check(
        time.compareTo(Duration.ofSeconds(1)) >= 0 && time.compareTo(MOST_TIME) <= 0,
        setBy(name) + ": must be from 1s to 36500d; got " + value);
    return time;
  }

  /** Shows what can be set. */
  static void help(PrintStream out) throws IOException {
    HelpFormatter.builder()
        .setShowSince(false)
        .setComparator(comparingInt(List.copyOf(OPTIONS.getOptions())::indexOf))
        .setOptionFormatBuilder(OptionFormatter.builder().setArgumentNameDelimiters("", ""))
        .setHelpAppendable(new TextHelpAppendable(out))
        .get()
        .printHelp(
            "sessiontree [OPTION...]",
            "Takes in the events of user sessions over WebSocket or HTTP, and gives back one sorted JSON tree a session.",
            OPTIONS,
            "Each option may also be an environment variable, such as SESSIONTREE_PORT; an option beats it, and an empty one is none. BYTES may have k, m or g behind them. "
                + "\"sessiontree copy -h\" tells how to move a folder's sessions to a database. "
                + "Exit codes: 0 stopped, 1 could not start, 2 wrong usage, 70 out of memory or another fault.",
            false);
  }

  /** All limits, in one line of a log. */
  String limits() {
    return "memory_bytes="
        + memoryBytes
        + " log_bytes="
        + logBytes
        + " inflow_bytes="
        + inflowBytes
        + " max_message_bytes="
        + maxMessageBytes
        + " max_connections="
        + maxConnections
        + " max_open_sessions="
        + maxOpenSessions;
  }

  Settings settings() {
    return new Settings(
        host,
        port,
        maxMessageBytes,
        inflowBytes,
        maxConnections,
        requestTimeout,
        new Settings.Access(
            writeTokens, readTokens, adminTokens, jwts, allowedOrigins, allowedHosts));
  }
}
