package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;

/**
 * Encodes a session's children as server-sent events (HTML, section 9.2), {@code event: entry} for
 * each. Children come one at a time, or as a tree's text, which may be cut anywhere. No child
 * contains a line break. Not safe for several threads.
 */
final class ChildEvents {
  private static final byte[] BEFORE = ascii("event: entry\ndata: ");
  private static final byte[] AFTER = ascii("\n\n");
  private static final byte[] TYPE = TreeWriter.beforeChild();

  /**
   * So many bytes are written before more is added. Children of this size or more are not copied.
   */
  private static final int FULL_BYTES = 8 << 10;

  private static final int PIECE_BYTES = 16 << 10;

  private final Deque<ByteBuffer> before = new ArrayDeque<>(0); // added before those in out
  private ByteArrayOutputStream out = new ByteArrayOutputStream();

  // State of the scan, where the tree's text was cut.
  private boolean inChildren; // after the tree's first "[", which begins its children
  private int depth;
  private boolean inString;
  private boolean escaped;
  private long count;

  /** Resets the scan: the next part of a text begins another tree. */
  void beginTree() {
    inChildren = false;
    depth = 0;
    inString = false;
    escaped = false;
    count = 0;
  }

  /**
   * Adds the next part of a tree's text. Only the last child gets an id, because a client can
   * resume only after that one: the children are sorted by timestamp, not in the order stored.
   *
   * @param last the number of the tree's last child, which becomes its id
   */
  void tree(ByteBuffer part, long last) {
    while (part.hasRemaining()) {
      byte b = part.get();
      if (depth > 0 || (b == '{' && inChildren)) {
        child(b, last);
      }
      inChildren |= b == '[';
    }
  }

  private void child(byte b, long last) {
    if (depth == 0) {
      out.writeBytes(BEFORE);
    }
    out.write(b);
    if (inString) {
      inString = escaped || b != '"';
      escaped = !escaped && b == '\\';
      return;
    }
    switch (b) {
      case '"' -> inString = true;
      case '{', '[' -> depth++;
      case '}', ']' -> depth--;
      default -> {}
    }
    if (depth == 0) {
      count++;
      end(count == last ? last : 0);
    }
  }

  /** Adds the cursor's current child. */
  void child(Cursor child, long id) throws IOException {
    child(child.array(), child.offset(), child.length(), id);
  }

  /**
   * Adds a child, given as the text of {@link sessiontree.event.Children}. A large one is not
   * copied, as many watchers may be sent the same array, which must not change until all is
   * written.
   */
  void child(byte[] array, int offset, int length, long id) {
    out.writeBytes(BEFORE);
    out.writeBytes(TYPE);
    if (length < FULL_BYTES) {
      out.write(array, offset, length);
    } else {
      before.add(takeOut());
      before.add(ByteBuffer.wrap(array, offset, length));
    }
    end(id);
  }

  private void end(long id) {
    if (id > 0) {
      out.writeBytes(ascii("\nid: " + id));
    }
    out.writeBytes(AFTER);
  }

  /** Adds an event other than a child; a negative {@code id} means none. */
  void event(String name, String data, long id) {
    out.writeBytes(
        ascii(
            "event: "
                + name
                + "\n"
                + (id < 0 ? "" : "id: " + id + "\n")
                + "data: "
                + data
                + "\n\n"));
  }

  /** Adds an empty comment, which clients ignore. */
  void comment() {
    out.writeBytes(ascii(":\n\n"));
  }

  /** Returns whether what was added must be written before more is added. */
  boolean isFull() {
    return !before.isEmpty() || out.size() >= FULL_BYTES;
  }

  /** Returns whether all that was added has been taken. */
  boolean isEmpty() {
    return before.isEmpty() && out.size() == 0;
  }

  /** Removes and returns the next bytes to write; of a large child, a piece. */
  ByteBuffer take() {
    ByteBuffer first = before.peek();
    if (first == null) {
      return takeOut();
    }
    ByteBuffer piece = first.slice(first.position(), Math.min(PIECE_BYTES, first.remaining()));
    first.position(first.position() + piece.remaining());
    if (!first.hasRemaining()) {
      before.remove();
    }
    return piece;
  }

  /** The array is not used again, so that a slow client holds no more than it is sent. */
  private ByteBuffer takeOut() {
    ByteBuffer taken = ByteBuffer.wrap(out.toByteArray());
    out = new ByteArrayOutputStream();
    return taken;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
