package sessiontree;

import java.nio.charset.StandardCharsets;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.ProblemException;

/** Messages for tests, and the trees that result. Their batches can be appended to any session. */
public final class Messages {
  private static final String ID = "s";

  private Messages() {}

  public static String start(Object timestamp) {
    return "{\"type\":\"SESSION_START\",\"timestamp\":" + timestamp + ",\"session_id\":\"s\"}";
  }

  public static String end(Object timestamp) {
    return "{\"type\":\"SESSION_END\",\"timestamp\":" + timestamp + ",\"session_id\":\"s\"}";
  }

  /** Returns an EVENT, which has the same form in a message and in a tree. */
  public static String event(Object timestamp, String name) {
    return "{\"type\":\"EVENT\",\"timestamp\":" + timestamp + ",\"name\":\"" + name + "\"}";
  }

  public static Batch message(String... entries) {
    return message(List.of(entries));
  }

  public static Batch message(List<String> entries) {
    byte[] bytes = ("[" + String.join(",", entries) + "]").getBytes(StandardCharsets.UTF_8);
    try {
      return MessageParser.parse(bytes, 0, bytes.length, ID);
    } catch (ProblemException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /** Returns the tree of a session, given its events in order. */
  public static String tree(Object start, Object end, List<String> events) {
    return "{\"type\":\"SESSION\",\"start\":"
        + start
        + ",\"end\":"
        + end
        + ",\"children\":["
        + String.join(",", events)
        + "]}";
  }
}
