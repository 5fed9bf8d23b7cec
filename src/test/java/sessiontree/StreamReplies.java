package sessiontree;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;

/** The JSON objects that the server sends on a stream, in order. */
interface StreamReplies {
  /**
   * Returns the next object.
   *
   * @throws IOException if the stream has ended
   */
  JsonNode next() throws IOException, InterruptedException;

  /** Returns the next object, which must have that type. */
  default JsonNode next(String type) throws IOException, InterruptedException {
    JsonNode reply = next();
    if (!reply.path("type").asText().equals(type)) {
      throw new AssertionError("expected " + type + ", got " + reply);
    }
    return reply;
  }

  /** Skips ACKs of earlier messages, and returns the one that covers {@code message}. */
  default JsonNode ack(long message) throws IOException, InterruptedException {
    while (true) {
      JsonNode ack = next("ACK");
      if (ack.path("messages").asLong() >= message) {
        return ack;
      }
    }
  }

  /** Skips ACKs, and returns COMPLETE. */
  default JsonNode complete() throws IOException, InterruptedException {
    JsonNode reply = next();
    while (reply.path("type").asText().equals("ACK")) {
      reply = next();
    }
    if (!reply.path("type").asText().equals("COMPLETE")) {
      throw new AssertionError("expected COMPLETE, got " + reply);
    }
    return reply;
  }
}
