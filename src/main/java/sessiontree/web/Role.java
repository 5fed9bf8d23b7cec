package sessiontree.web;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.eclipse.jetty.server.Request;

/** A permission that a token gives its bearer. */
enum Role {
  /** Reads trees, lists sessions, and sees metrics. */
  READ,
  /** Streams and posts messages. */
  WRITE,
  /** Does all that the other roles may, and deletes sessions. */
  ADMIN;

  private static final Set<Route> PUBLIC =
      EnumSet.of(
          Route.HEALTH,
          Route.OPENAPI,
          Route.ASYNCAPI,
          Route.INDEX,
          Route.PAGE,
          Route.CLIENT,
          Route.CLIENT_TYPES);

  /**
   * Returns the role that a request needs, or null if anybody may send it. Only this method decides
   * it, by the method and the undecoded path of the request line. An unknown path is never public,
   * and an unknown method needs {@link #ADMIN}.
   */
  static Role neededFor(Request request) {
    return switch (request.getMethod()) {
      case "GET", "HEAD", "OPTIONS" -> {
        Route route = Route.of(request);
        yield PUBLIC.contains(route) ? null : route == Route.STREAM ? WRITE : READ;
      }
      case "POST" -> WRITE;
      default -> ADMIN;
    };
  }

  /** Returns the name in lower case, such as {@code write}. */
  String shown() {
    return name().toLowerCase(Locale.ROOT);
  }
}
