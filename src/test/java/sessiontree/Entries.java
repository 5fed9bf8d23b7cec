package sessiontree;

import java.util.UUID;

/** Entries and messages as clients write them, for tests to which their form does not matter. */
final class Entries {
  static final String START = "1569972082";
  static final String END = "1569972090";

  private Entries() {}

  /** Returns a session id that no other test uses. */
  static String newId() {
    return UUID.randomUUID().toString();
  }

  static String start(String id) {
    return bound("SESSION_START", START, id);
  }

  static String end(String id) {
    return bound("SESSION_END", END, id);
  }

  static String bound(String type, String timestamp, String id) {
    return "{\"type\":\"%s\",\"timestamp\":%s,\"session_id\":\"%s\"}"
        .formatted(type, timestamp, id);
  }

  /** Returns an EVENT, which has the same form in a message and in a tree. */
  static String event(String timestamp, String name) {
    return "{\"type\":\"EVENT\",\"timestamp\":%s,\"name\":\"%s\"}".formatted(timestamp, name);
  }

  static String message(String... entries) {
    return "[" + String.join(",", entries) + "]";
  }

  /** Returns the tree of a session with {@link #start} and {@link #end}. */
  static String tree(String... children) {
    return "{\"type\":\"SESSION\",\"start\":%s,\"end\":%s,\"children\":[%s]}"
        .formatted(START, END, String.join(",", children));
  }
}
