package sessiontree.web;

import java.util.List;
import java.util.Locale;

/** What a token lets its bearer do. */
enum Role {
  /** Reads trees, lists sessions, and sees metrics. */
  READ,
  /** Streams and posts messages. */
  WRITE,
  /** All that the others do, and deletes sessions. */
  ADMIN;

  private static final List<String> FREE = List.of("/health", "/openapi.json", "/asyncapi.json");

  /**
   * The role that a request needs, or null if anybody may send it. This is the one place that
   * decides it, by the method and the path of the request line as they are written: what is not
   * known here needs the most.
   */
  static Role neededFor(String method, String path) {
    return switch (method) {
      case "GET", "HEAD", "OPTIONS" -> {
        if (FREE.contains(path)) {
          yield null;
        }
        yield Streams.isStream(path) ? WRITE : READ;
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
