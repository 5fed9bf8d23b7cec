package sessiontree;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.ParseException;
import sessiontree.store.postgres.PostgresStore;
import sessiontree.web.Jwts;
import sessiontree.web.Origin;
import sessiontree.web.Settings;

/** The configuration, from options or environment variables, with its defaults and bounds. */
final class Config {
  /** The environment variable that holds the database's password. */
  static final String STORE_PASSWORD = "SESSIONTREE_STORE_PASSWORD";

  private static final Pattern HOST = Pattern.compile("\\*|[a-z0-9_-]+(\\.[a-z0-9_-]+)*");
  private static final Pattern TOKEN = Pattern.compile("[!-~&&[^,]]{1,4096}");

  /**
   * Heap per open session. Without events a session takes half a KiB, or nearly 2 KiB with the
   * longest id and timestamp; events, and data received and sent, have bounds of their own.
   */
  private static final int HEAP_BYTES_A_SESSION = 4 << 10;

  /**
   * Heap per connection. One whose client does not read holds at most 16 KiB of responses and some
   * 10 KiB of buffers; the rest of the heap is for data that has bounds of its own.
   */
  private static final int HEAP_BYTES_A_CONNECTION = 64 << 10;

  private static final int MOST_CONNECTIONS = 100_000;

  private final Flags flags;
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
  final Duration deleteAfter; // null for never
  final int maxMessageBytes;
  final int maxConnections;
  final int maxOpenSessions;
  final Duration requestTimeout;
  final long memoryBytes;
  final long logBytes;
  final long inFlightBytes;
  final Level logLevel;

  /** Log levels, from the fewest messages to the most. */
  enum Level {
    error,
    warn,
    info,
    debug,
    trace
  }

  /**
   * Reads options, or environment variables such as SESSIONTREE_PORT where they are not given.
   *
   * @throws ParseException if a value is invalid; its message says which one, and why
   */
  Config(CommandLine line, UnaryOperator<String> environment) throws ParseException {
    this.flags = new Flags(line, environment);
    this.environment = environment;
    host = flags.value("host").replaceFirst("^\\[(.*:.*)]$", "$1"); // IPv6 may be in brackets
    Flags.check( // Java takes a blank host for loopback
        !host.isBlank(), flags.setBy("host") + ": must be an address; got none");
    port = flags.whole("port", 0, 65_535);
    store = flags.value("store");
    checkStore();
    writeTokens = tokens("write-token");
    readTokens = tokens("read-token");
    adminTokens = tokens("admin-token");
    jwts = jwts();
    allowedOrigins = origins();
    allowedHosts = hosts();
    abandonAfter = flags.time("abandon-after");
    deleteAfter = flags.time("delete-after");
    maxMessageBytes = (int) flags.bytes("max-message-bytes", 0, 1, 256 << 20);
    requestTimeout = flags.time("request-timeout");
    long heapBytes = Runtime.getRuntime().maxMemory();
    maxConnections =
        flags.value("max-connections") == null
            ? (int) Math.min(MOST_CONNECTIONS, heapBytes / HEAP_BYTES_A_CONNECTION)
            : flags.whole("max-connections", 1, 1_000_000_000);
    maxOpenSessions =
        flags.value("max-open-sessions") == null
            ? (int) Math.min(Integer.MAX_VALUE, heapBytes / HEAP_BYTES_A_SESSION)
            : flags.whole("max-open-sessions", 1, Integer.MAX_VALUE);
    memoryBytes = flags.bytes("memory-bytes", heapBytes / 4, 64 << 10, Long.MAX_VALUE);
    logBytes = flags.bytes("log-bytes", 0, 64 << 10, Long.MAX_VALUE);
    inFlightBytes = flags.bytes("inflow-bytes", heapBytes / 8, 64 << 10, Long.MAX_VALUE);
    logLevel = level();
  }

  private void checkStore() throws ParseException {
    if (isShared()) {
      try {
        PostgresStore.check(store);
      } catch (IllegalArgumentException e) { // its message does not show the password
        throw new ParseException(flags.setBy("store") + ": " + e.getMessage());
      }
      return;
    }
    Flags.check( // a blank folder would be the working directory
        !store.isBlank() && !store.matches("(?!memory:$)[a-z]{2,}:.*"),
        flags.setBy("store") + ": must be a folder, postgresql:// or memory:; got " + store);
  }

  /** Returns whether the store is a database. */
  boolean isShared() {
    return store.matches("postgres(ql)?:.*");
  }

  /** Returns the database's password if it is given outside of the store's URI; otherwise null. */
  String storePassword() {
    return environment.apply(STORE_PASSWORD);
  }

  /** Returns the store's name for logs, without a password. */
  String storeName() {
    return isShared() ? PostgresStore.withoutPassword(store) : store;
  }

  private Level level() throws ParseException {
    String value = flags.value("log-level");
    try {
      return Level.valueOf(value);
    } catch (IllegalArgumentException e) {
      throw new ParseException(
          flags.setBy("log-level")
              + ": must be one of "
              + Arrays.toString(Level.values())
              + "; got "
              + value);
    }
  }

  private List<String> origins() throws ParseException {
    List<String> origins = new ArrayList<>();
    for (String given : flags.commaSeparated("allowed-origin")) {
      try {
        origins.add(Origin.normalized(given));
      } catch (IllegalArgumentException e) { // also thrown for an IDN that cannot be encoded
        throw new ParseException(
            flags.setBy("allowed-origin")
                + ": must be * or the origin of a page, like https://example.org:8443, without a path or a wildcard; got "
                + given);
      }
    }
    return origins;
  }

  private List<String> hosts() throws ParseException {
    List<String> hosts = new ArrayList<>();
    for (String given : flags.commaSeparated("allowed-host")) {
      String host = given.toLowerCase(Locale.ROOT);
      Flags.check(
          HOST.matcher(host).matches(),
          flags.setBy("allowed-host")
              + ": must be * or a name like sessions.example.org, without a port; got "
              + given);
      hosts.add(host);
    }
    return hosts;
  }

  /** Reads tokens; a {@code @} file has one a line. Error messages never show a token. */
  private List<String> tokens(String name) throws ParseException {
    List<String> tokens = new ArrayList<>();
    for (String value : flags.repeated(name)) {
      if (value.startsWith("@")) {
        int before = tokens.size();
        flags
            .read(name, value.substring(1))
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty())
            .forEach(tokens::add);
        Flags.check(
            tokens.size() > before,
            flags.setBy(name) + ": the file " + value.substring(1) + " has no token");
      } else {
        tokens.add(value);
      }
    }
    for (String token : tokens) {
      Flags.check(
          TOKEN.matcher(token).matches(),
          flags.setBy(name)
              + ": must be 1 to 4096 visible ASCII characters without spaces and commas");
    }
    return tokens;
  }

  /** Reads keys of JWTs; a {@code @} file has one. Error messages never show a key. */
  private Jwts jwts() throws ParseException {
    List<String> keys = new ArrayList<>();
    for (String value : flags.repeated("jwt-key")) {
      keys.add(value.startsWith("@") ? flags.read("jwt-key", value.substring(1)).strip() : value);
    }
    try {
      return Jwts.of(keys);
    } catch (IllegalArgumentException e) {
      throw new ParseException(flags.setBy("jwt-key") + ": " + e.getMessage());
    }
  }

  /** Returns all limits as {@code name=value} pairs for a log line. */
  String limits() {
    return "memory_bytes="
        + memoryBytes
        + " log_bytes="
        + logBytes
        + " inflow_bytes="
        + inFlightBytes
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
        inFlightBytes,
        maxConnections,
        requestTimeout,
        new Settings.Access(
            writeTokens, readTokens, adminTokens, jwts, allowedOrigins, allowedHosts));
  }
}
