package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.List;

/** Messages of session s-1, and how tests parse them. */
final class Messages {
  static final String SESSION = "s-1";
  static final String START = "{\"type\":\"SESSION_START\",\"timestamp\":1,\"session_id\":\"s-1\"}";
  static final String END = "{\"type\":\"SESSION_END\",\"timestamp\":9,\"session_id\":\"s-1\"}";
  static final String EVENT = event("");

  private Messages() {}

  /** Returns an EVENT with these members after its own. */
  static String event(String members) {
    return "{\"type\":\"EVENT\",\"timestamp\":5,\"name\":\"n\"" + members + "}";
  }

  static Batch parse(String message) throws ProblemException {
    return parse(message.getBytes(UTF_8));
  }

  /** Parses a message that lies between other bytes, which would be noticed if they were read. */
  static Batch parse(byte[] message) throws ProblemException {
    byte[] junk = new byte[message.length + 16];
    Arrays.fill(junk, (byte) '"');
    System.arraycopy(message, 0, junk, 7, message.length);
    return MessageParser.parse(junk, 7, message.length, SESSION);
  }

  static List<String> childrenOf(String message) throws ProblemException {
    Batch batch = parse(message);
    List<String> texts = Child.all(batch.children()).stream().map(Child::inTree).toList();
    if (texts.size() != batch.count()) {
      throw new AssertionError(
          "the batch counts " + batch.count() + " children, and has " + texts.size());
    }
    return texts;
  }
}
