package sessiontree.web;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A message of which some bytes have come: parts of frames, or of a request's body, one behind
 * another. Not safe for several threads.
 *
 * <p>Memory: at most twice what was received of the message; none between messages.
 */
final class PartialMessage {
  private static final int FIRST_BYTES = 256;
  private static final byte[] NONE = new byte[0];

  private byte[] bytes = NONE;
  private int length;

  /** Takes the part's bytes, which are the caller's again then. */
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

  /** Holds the message, from 0 to {@link #length}. */
  byte[] array() {
    return bytes;
  }

  int length() {
    return length;
  }

  /** Bytes of memory that are held for the message. */
  int allocated() {
    return bytes.length;
  }

  /** Forgets the message. Its array stays with those that hold it. */
  void clear() {
    bytes = NONE;
    length = 0;
  }
}
