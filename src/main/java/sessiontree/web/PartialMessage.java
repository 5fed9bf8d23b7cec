package sessiontree.web;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The bytes received so far of a message: parts of frames, or of a request's body, in their order.
 * Not safe for several threads.
 *
 * <p>Memory: at most twice the bytes received, or 256 bytes if that is more; none between messages.
 */
final class PartialMessage {
  private static final int FIRST_BYTES = 256;
  private static final byte[] NONE = new byte[0];

  private byte[] bytes = NONE;
  private int length;

  /** Appends a copy of the bytes of {@code part}. */
  void add(ByteBuffer part) {
    int needed = length + part.remaining();
    if (needed > bytes.length) {
      int capacity = Math.max(needed, Math.max(FIRST_BYTES, (int) Math.min(2L * length, 1 << 30)));
      bytes = Arrays.copyOf(bytes, length == 0 ? needed : capacity);
    }
    int added = part.remaining();
    part.get(bytes, length, added);
    length += added;
  }

  /** Returns the array that holds the message, from 0 to {@link #length}. */
  byte[] array() {
    return bytes;
  }

  int length() {
    return length;
  }

  /** Returns the bytes of memory allocated for the message. */
  int allocated() {
    return bytes.length;
  }

  /** Discards the message. The array that {@link #array} returned is not reused. */
  void clear() {
    bytes = NONE;
    length = 0;
  }
}
