package sessiontree;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;

/** What the server says on a stream, in order. */
interface Answers {
  /**
   * The next object.
   *
   * @throws IOException if the stream has ended
   */
  JsonNode next() throws IOException, InterruptedException;

  /** The next object, which must be of that type. */
  default JsonNode next(String type) throws IOException, InterruptedException {
    JsonNode answer = next();
    if (!answer.path("type").asText().equals(type)) {
      throw new AssertionError("expected " + type + ", got " + answer);
    }
    return answer;
  }

  /** The ACK that answers a message, past those of the messages before it. */
  default JsonNode ack(long message) throws IOException, InterruptedException {
    while (true) {
      JsonNode ack = next("ACK");
      if (ack.path("messages").asLong() >= message) {
        return ack;
      }
    }
  }

  /** COMPLETE, past ACKs. */
  default JsonNode complete() throws IOException, InterruptedException {
    JsonNode answer = next();
    while (answer.path("type").asText().equals("ACK")) {
      answer = next();
    }
    if (!answer.path("type").asText().equals("COMPLETE")) {
      throw new AssertionError("expected COMPLETE, got " + answer);
    }
    return answer;
  }
}
