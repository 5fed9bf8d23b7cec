package sessiontree;

import static java.util.Comparator.comparingInt;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
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

/**
 * The command-line flags, each of which can also be set by an environment variable: their names,
 * defaults, help texts and value syntax. {@link Config} decides which values are valid. Immutable.
 */
final class Flags {
  private static final Pattern TIME = Pattern.compile("([0-9]{1,9})(s|m|h|d)");
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,18})([kmgKMG]?)");

  /** The SESSIONTREE_PORT that Kubernetes sets if a service is named sessiontree; it is ignored. */
  private static final Pattern SERVICE_LINK = Pattern.compile("(tcp|udp|sctp)://.*");

  private static final Duration MOST_TIME = Duration.ofDays(36_500);

  private static final Options OPTIONS = new Options();
  private static final Map<String, String> DEFAULTS = new HashMap<>();

  static {
    add("host", "ADDRESS", "127.0.0.1", "The address or host name to listen on.");
    add("port", "PORT", "8080", "The port to listen on; 0 takes a free one.");
    add(
        "store",
        "DIR",
        "./data",
        "The folder to keep sessions in; or postgresql://USER@HOST:5432/DATABASE, which any number of servers may share; or \"memory:\", which keeps nothing on disk.");
    add(
        "write-token",
        "TOKEN",
        null,
        "A token for streaming and posting; or @FILE, which has one token per line. May be repeated. Default: everybody may, unless a JWT key is set.");
    add(
        "read-token",
        "TOKEN",
        null,
        "A token for reading, listing and metrics; or @FILE. May be repeated. Default: everybody may, unless a JWT key is set.");
    add(
        "admin-token",
        "TOKEN",
        null,
        "A token for all that, and for deleting; or @FILE. May be repeated. Default: everybody may delete if no token or key is set, otherwise nobody.");
    add(
        "jwt-key",
        "KEY",
        null,
        "A secret of 32 bytes or more; or @FILE, which has one, or a public key as PEM. JWTs of HS256, RS256 or ES256 that this key verifies are accepted. May be repeated. Default: none.");
    add(
        "allowed-origin",
        "ORIGIN",
        null,
        "An origin whose pages may connect and read, such as https://example.org; * for all. May be repeated. Default: only the server's own.");
    add(
        "allowed-host",
        "NAME",
        null,
        "A host name that requests to a server without tokens may use, besides localhost and IP addresses; * for all. May be repeated. Default: none.");
    add(
        "abandon-after",
        "TIME",
        null,
        "The server ends a session that receives nothing for this time, such as 24h, 90s or PT24H. Only time in which a server runs counts. Default: never.");
    add(
        "delete-after",
        "TIME",
        null,
        "The server deletes a session this time after it completed; counted likewise. Default: never.");
    add(
        "max-message-bytes",
        "BYTES",
        "1048576",
        "Maximum bytes of one message, decompressed; at most 256m.");
    add(
        "max-connections",
        "COUNT",
        null,
        "Maximum connections at a time; further ones get 503, or are closed if they are far more. Default: one for each 64 KiB of the heap, at most 100000.");
    add(
        "max-open-sessions",
        "COUNT",
        null,
        "Maximum sessions open at a time; the SESSION_START of a further one is refused as too_many_sessions: 503 by POST, ERROR on a stream. Default: one for each 4 KiB of the heap.");
    add(
        "request-timeout",
        "TIME",
        "30s",
        "Timeout of a request's head and of an idle HTTP connection; a body gets one second more for each KiB received, but in all no more than 60s (or TIME, if longer), or 10s where in-flight bytes are short.");
    add(
        "memory-bytes",
        "BYTES",
        null,
        "Maximum bytes of open sessions' events in memory; the rest is on disk. Default: a quarter of the heap.");
    add(
        "log-bytes",
        "BYTES",
        "536870912",
        "Maximum bytes of the write-ahead log, which a start has to read.");
    add(
        "inflow-bytes",
        "BYTES",
        null,
        "Maximum in-flight bytes: those received from all clients that have no result yet. At the limit, clients wait; a POST gets 503 after 10s. Default: an eighth of the heap.");
    add(
        "log-level",
        "LEVEL",
        "info",
        "Least severe level logged to standard error: error, warn, info, debug, trace.");
    OPTIONS.addOption("h", "help", false, "Show this help and exit.");
    OPTIONS.addOption("V", "version", false, "Show the version and exit.");
  }

  private static void add(String name, String argument, String otherwise, String description) {
    String shown = otherwise == null ? "" : " Default: " + otherwise + ".";
    OPTIONS.addOption(
        Option.builder().longOpt(name).hasArg().argName(argument).desc(description + shown).get());
    DEFAULTS.put(name, otherwise);
  }

  private final CommandLine line;
  private final UnaryOperator<String> environment;

  /** Creates flags; those not given come from environment variables such as SESSIONTREE_PORT. */
  Flags(CommandLine line, UnaryOperator<String> environment) {
    this.line = line;
    this.environment = environment;
  }

  /** Parses the options, including "help" and "version"; their values are not checked yet. */
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

  /** Prints the help text. */
  static void help(PrintStream out) throws IOException {
    HelpFormatter.builder()
        .setShowSince(false)
        .setComparator(comparingInt(List.copyOf(OPTIONS.getOptions())::indexOf))
        .setOptionFormatBuilder(OptionFormatter.builder().setArgumentNameDelimiters("", ""))
        .setHelpAppendable(new TextHelpAppendable(out))
        .get()
        .printHelp(
            "sessiontree [OPTION...]",
            "Receives events of user sessions over WebSocket or HTTP, and returns one sorted JSON tree per session.",
            OPTIONS,
            "Each option may also be set by an environment variable, such as SESSIONTREE_PORT. An option overrides its variable; an empty variable counts as not set. BYTES may end in k, m or g. "
                + "\"sessiontree copy -h\" shows how to copy a folder's sessions to a database. "
                + "Exit codes: 0 stopped, 1 could not start, 2 wrong usage, 70 out of memory or another fault.",
            false);
  }

  static void check(boolean right, String problem) throws ParseException {
    if (!right) {
      throw new ParseException(problem);
    }
  }

  /** Returns the value given for an option, or its default; null if it has neither. */
  String value(String name) throws ParseException {
    String[] given = line.getOptionValues(name);
    if (given != null) {
      check(given.length == 1, "--" + name + ": must be given once");
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

  /** Returns the name of the flag or environment variable that an option's value comes from. */
  String setBy(String name) {
    return line.hasOption(name) ? "--" + name : variable(name);
  }

  /**
   * Returns all values given for an option that may be repeated. An environment variable holds them
   * separated by commas.
   */
  List<String> repeated(String name) {
    String[] given = line.getOptionValues(name);
    if (given != null) {
      return List.of(given);
    }
    String variable = environment.apply(variable(name));
    return variable == null || variable.isEmpty() ? List.of() : List.of(variable.split(",", -1));
  }

  int whole(String name, int least, int most) throws ParseException {
    String value = value(name);
    try {
      return (int) checkBounds(name, Long.parseLong(value), least, most);
    } catch (NumberFormatException e) {
      throw new ParseException(setBy(name) + ": must be a whole number; got " + value);
    }
  }

  long bytes(String name, long otherwise, long least, long most) throws ParseException {
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

  /** Returns all values given for an option that may be repeated; commas separate values too. */
  List<String> commaSeparated(String name) {
    return repeated(name).stream().flatMap(value -> Stream.of(value.split(",", -1))).toList();
  }

  /** Returns a duration such as 90s, 30m, 24h, 7d or ISO 8601's PT24H; null if it is not set. */
  Duration time(String name) throws ParseException {
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

  String read(String name, String file) throws ParseException {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new ParseException(setBy(name) + ": cannot read " + file + ": " + Main.reason(e));
    }
  }
}
