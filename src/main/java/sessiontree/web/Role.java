package sessiontree.web;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** What a token lets its bearer do. */
enum Role {
  /** Reads trees, lists sessions, and sees metrics. */
  READ,
  /** Streams and posts messages. */
  WRITE,
  /** All that the others do, and deletes sessions. */
  ADMIN;

  private static final Set<Route> FREE =
      EnumSet.of(
          Route.HEALTH,
          Route.OPENAPI,
          Route.ASYNCAPI,
          Route.INDEX,
          Route.PAGE,
          Route.CLIENT,
          Route.CLIENT_TYPES);

  /**
   * The role that a request needs, or null if anybody may send it. This is the one place that
   * decides it, by the method and the path of the request line as they are written: what is not
   * known here needs the most.
   */
  static Role neededFor(String method, String path) {
    return switch (method) {
      case "GET", "HEAD", "OPTIONS" -> {
        Route route = Route.of(path);
        yield FREE.contains(route) ? null : route == Route.STREAM ? WRITE : READ;
      }
      case "POST" -> WRITE;
      default -> ADMIN;
    };
  }

  /** In words, such as {@code write}. */
  String shown() {
    return name().toLowerCase(Locale.ROOT);
  }
}
