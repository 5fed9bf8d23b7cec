package sessiontree.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/**
 * The messages of a session as masked WebSocket frames, made before anything is measured. All
 * sessions of a load send the same frames. A session that needs more than {@link #DISTINCT_BYTES}
 * repeats them.
 */
final class Frames {
  private static final int DISTINCT_BYTES = 80 << 20;
  private static final long FIRST_SECOND = 1_700_000_000;
  private static final int SPAN_SECONDS = 2_000_000;
  private static final int TEXT = 1;
  private static final String[] NAMES = {
    "view",
    "tap",
    "scroll_end",
    "item_in_cart",
    "search",
    "payment_started",
    "video_paused",
    "login"
  };
  private static final String[] UNICODE_NAMES = {
    "просмотр", "顧客がログインした", "scroll \u2193", "köp", "检索", "εισαγωγή στο καλάθι", "🛒🎉"
  };

  private final ByteBuffer[] frames;

  /**
   * What messages look like.
   *
   * @param entries number of EVENTs in a message
   * @param inOrder whether timestamps ascend from event to event; otherwise they are random
   * @param extraBytes length of an additional member's value in each event; 0 for no such member
   * @param unicode whether names are in many scripts
   */
  record Shape(int entries, boolean inOrder, int extraBytes, boolean unicode) {
    Shape withEntries(int entries) {
      return new Shape(entries, inOrder, extraBytes, unicode);
    }

    Shape ordered(boolean inOrder) {
      return new Shape(entries, inOrder, extraBytes, unicode);
    }
  }

  private Frames(ByteBuffer[] frames) {
    this.frames = frames;
  }

  /** Returns the frames of a session of {@code messages} messages of events. */
  static Frames of(Shape shape, int messages) {
    Random random = new Random(7);
    byte[] first = message(shape, 0, random);
    int distinct = (int) Math.min(messages, Math.max(1, DISTINCT_BYTES / first.length));
    ByteBuffer[] frames = new ByteBuffer[distinct];
    for (int m = 0; m < distinct; m++) {
      ByteBuffer frame = masked(TEXT, message(shape, m, random));
      frames[m] = ByteBuffer.allocateDirect(frame.remaining()).put(frame).flip();
    }
    return new Frames(frames);
  }

  private static byte[] message(Shape shape, int message, Random random) {
    String[] names = shape.unicode ? UNICODE_NAMES : NAMES;
    String extra =
        shape.extraBytes == 0 ? "" : ",\"extra\":\"" + "e".repeat(shape.extraBytes) + "\"";
    StringBuilder text = new StringBuilder("[");
    for (int e = 0; e < shape.entries; e++) {
      long second =
          shape.inOrder ? (long) message * shape.entries + e : random.nextInt(SPAN_SECONDS);
      text.append(e == 0 ? "" : ",").append("{\"type\":\"EVENT\",\"timestamp\":");
      text.append(FIRST_SECOND + second).append(",\"name\":\"");
      text.append(names[random.nextInt(names.length)]).append('"').append(extra).append('}');
    }
    return text.append(']').toString().getBytes(StandardCharsets.UTF_8);
  }

  /** Returns the frame of a message of events; the caller may consume it. */
  ByteBuffer events(int message) {
    return frames[message % frames.length].duplicate();
  }

  static ByteBuffer start(String id) {
    return masked(TEXT, ("[" + startEntry(id) + "]").getBytes(StandardCharsets.US_ASCII));
  }

  static ByteBuffer end(String id) {
    return masked(TEXT, ("[" + endEntry(id) + "]").getBytes(StandardCharsets.US_ASCII));
  }

  static String startEntry(String id) {
    return bound("SESSION_START", FIRST_SECOND, id);
  }

  static String endEntry(String id) {
    return bound("SESSION_END", FIRST_SECOND + SPAN_SECONDS, id);
  }

  private static String bound(String type, long second, String id) {
    return "{\"type\":\"" + type + "\",\"timestamp\":" + second + ",\"session_id\":\"" + id + "\"}";
  }

  /** Returns a client's frame (RFC 6455, 5.2), masked with a key that no server can skip. */
  static ByteBuffer masked(int opcode, byte[] payload) {
    int length = payload.length;
    ByteBuffer frame = ByteBuffer.allocate(length + 14).put((byte) (0x80 | opcode));
    if (length < 126) {
      frame.put((byte) (0x80 | length));
    } else if (length < 1 << 16) {
      frame.put((byte) (0x80 | 126)).putShort((short) length);
    } else {
      frame.put((byte) (0x80 | 127)).putLong(length);
    }
    int key = 0x9e3779b9 ^ length;
    frame.putInt(key);
    for (int i = 0; i < length; i++) {
      frame.put((byte) (payload[i] ^ key >>> 24 - 8 * (i & 3)));
    }
    return frame.flip();
  }
}
