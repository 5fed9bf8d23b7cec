package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;

/**
 * Writes a session's children as server-sent events (HTML, section 9.2), {@code event: entry} each:
 * those of a tree, whose text may be cut anywhere, and single ones. No child has a line's end in
 * it. Not safe for several threads.
 */
final class ChildEvents {
  private static final byte[] BEFORE = ascii("event: entry\ndata: ");
  private static final byte[] AFTER = ascii("\n\n");
  private static final byte[] TYPE = TreeWriter.beforeChild();

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  // Where the text of a tree was cut.
  private boolean inChildren; // behind the head, which has no other array
  private int depth;
  private boolean inString;
  private boolean escaped;
  private long count;

  /** The next part of a text is the first of another tree. */
  void beginTree() {
    inChildren = false;
    depth = 0;
    inString = false;
    escaped = false;
    count = 0;
  }

  /**
   * Adds the next part of a tree's text. A child has no id, as one can only go on behind the last
   * of them: the others are not in the order stored.
   *
   * @param last the number of the tree's last child, which is its id
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

  /** Adds a child. */
  void child(Cursor child, long id) throws IOException {
    child(child.array(), child.offset(), child.length(), id);
  }

  /** Adds a child, given as the text of {@link sessiontree.event.Children}. */
  void child(byte[] array, int offset, int length, long id) {
    out.writeBytes(BEFORE);
    out.writeBytes(TYPE);
    out.write(array, offset, length);
    end(id);
  }

  private void end(long id) {
    if (id > 0) {
      out.writeBytes(ascii("\nid: " + id));
    }
    out.writeBytes(AFTER);
  }

  /** Adds another event; an id below 0 is none. */
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

  /** Adds a line that says nothing. */
  void comment() {
    out.writeBytes(ascii(":\n\n"));
  }

  int size() {
    return out.size();
  }

  /** Takes what was added. */
  ByteBuffer take() {
    ByteBuffer taken = ByteBuffer.wrap(out.toByteArray());
    out.reset();
    return taken;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
