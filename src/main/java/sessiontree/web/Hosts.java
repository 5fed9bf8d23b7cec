package sessiontree.web;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * The names by which a server without tokens is reached. A browser's page could otherwise reach one
 * on loopback by a name of its own that resolves to there, and be of the same origin (DNS
 * rebinding). An address cannot be such a name, and {@code localhost} always is loopback's.
 * Immutable.
 */
final class Hosts {
  private static final String ANY = "*";
  private static final Pattern OWN =
      Pattern.compile("(.+\\.)?localhost|[0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[.*");

  private final Set<String> allowed;

  /** Names in lower case, or {@code *}. */
  Hosts(List<String> allowed) {
    this.allowed = Set.copyOf(allowed);
  }

  /** Refuses a request that was sent to another name. One of HTTP/1.0 may have none. */
  void check(Request request) throws ProblemException {
    String host = request.getHeaders().get(HttpHeader.HOST);
    if (host == null || allowed.contains(ANY)) {
      return;
    }
    String name = name(host);
    if (!OWN.matcher(name).matches() && !allowed.contains(name)) {
      throw new ProblemException(
          Problem.HOST_NOT_ALLOWED,
          "a server without tokens is reached as localhost, or by an address or a name of --allowed-host");
    }
  }

  /** Without port and final dot, in lower case. */
  private static String name(String host) {
    int port = host.startsWith("[") ? -1 : host.indexOf(':');
    String name = (port < 0 ? host : host.substring(0, port)).toLowerCase(Locale.ROOT);
    return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
  }
}
