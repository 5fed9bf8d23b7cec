package sessiontree;

import java.nio.charset.StandardCharsets;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.ProblemException;

/** Messages of tests, and the trees they make. Their batches are good for any session. */
public final class Messages {
  private static final String ID = "s";

  private Messages() {}

  public static String start(Object timestamp) {
    return "{\"type\":\"SESSION_START\",\"timestamp\":" + timestamp + ",\"session_id\":\"s\"}";
  }

  public static String end(Object timestamp) {
    return "{\"type\":\"SESSION_END\",\"timestamp\":" + timestamp + ",\"session_id\":\"s\"}";
  }

  /** An EVENT as it is sent, and as it stands in the tree. */
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

  /** The tree of a session, given its events in order. */
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
