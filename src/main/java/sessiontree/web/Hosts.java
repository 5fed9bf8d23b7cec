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
 * The host names by which a server without tokens may be reached, to prevent DNS rebinding: a web
 * page whose own domain name resolves to a loopback address could otherwise reach the server there
 * as its own origin. IP addresses need no resolving and are always allowed, and so is {@code
 * localhost}, which always means loopback. Immutable.
 */
final class Hosts {
  private static final String ANY = "*";
  private static final Pattern OWN =
      Pattern.compile("(.+\\.)?localhost|[0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[.*");

  private final Set<String> allowed;

  /** Allows these names, in lower case, besides those of {@link #OWN}; all for {@code *}. */
  Hosts(List<String> allowed) {
    this.allowed = Set.copyOf(allowed);
  }

  /** Refuses a request whose {@code Host} is not allowed. HTTP/1.0 requests may have none. */
  void check(Request request) throws ProblemException {
    String host = request.getHeaders().get(HttpHeader.HOST);
    if (host == null || allowed.contains(ANY)) {
      return;
    }
    String name = name(host);
    if (!OWN.matcher(name).matches() && !allowed.contains(name)) {
      throw new ProblemException(
          Problem.HOST_NOT_ALLOWED,
          "host not allowed: a server without tokens accepts only localhost, IP addresses and the"
              + " names of --allowed-host");
    }
  }

  /** Returns the name in lower case, without the port and a trailing dot. */
  private static String name(String host) {
    int port = host.startsWith("[") ? -1 : host.indexOf(':');
    String name = (port < 0 ? host : host.substring(0, port)).toLowerCase(Locale.ROOT);
    return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
  }
}
