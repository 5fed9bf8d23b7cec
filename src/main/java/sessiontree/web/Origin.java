package sessiontree.web;

import java.net.IDN;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Functions on the origins of web pages (RFC 6454), in the form that browsers send. */
public final class Origin {
  /** Stands for every origin, including {@code null}. */
  static final String ANY = "*";

  private static final Pattern FORM =
      Pattern.compile("([a-z][a-z0-9+.-]*)://([^/?#@:\\[\\]]+|\\[[0-9a-f:.]+])(?::([0-9]{1,5}))?");

  private static final Pattern HOST = Pattern.compile("[a-z0-9_-]+(\\.[a-z0-9_-]+)*\\.?|\\[.*");

  private static final Map<String, Integer> DEFAULT_PORTS = Map.of("http", 80, "https", 443);

  private Origin() {}

  /**
   * Returns the origin as browsers send it: in lower case, an international name in ASCII, without
   * a default port. {@link #ANY} stays as it is.
   *
   * @throws IllegalArgumentException if no page can have this origin
   */
  public static String normalized(String text) {
    if (text.equals(ANY)) {
      return text;
    }
    Matcher parts = FORM.matcher(text.toLowerCase(Locale.ROOT));
    if (!parts.matches() || parts.group(1).matches("wss?")) {
      throw new IllegalArgumentException(text);
    }
    String host = IDN.toASCII(parts.group(2)).toLowerCase(Locale.ROOT);
    int port = parts.group(3) == null ? 0 : Integer.parseInt(parts.group(3));
    if (!HOST.matcher(host).matches() || port > 65_535 || (port == 0 && parts.group(3) != null)) {
      throw new IllegalArgumentException(text);
    }
    String origin = parts.group(1) + "://" + host;
    return port == 0 || port == DEFAULT_PORTS.getOrDefault(parts.group(1), 0)
        ? origin
        : origin + ":" + port;
  }

  /** Returns whether a page of {@code origin} was served by {@code host}, the request's target. */
  static boolean isOf(String host, String origin) {
    int at = origin.indexOf("://");
    if (at < 0 || host == null) {
      return false;
    }
    String port = origin.startsWith("https:") ? ":443" : ":80";
    String to = host.toLowerCase(Locale.ROOT);
    String from = origin.substring(at + 3);
    return from.equals(to) || (from + port).equals(to) || from.equals(to + port);
  }
}
