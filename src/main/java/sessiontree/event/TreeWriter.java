package sessiontree.event;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes the JSON tree of a session, child by child, in memory of one buffer. Not safe for several
 * threads. It neither flushes nor closes what it writes to.
 */
public final class TreeWriter {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final byte[] LAST = {']', '}'};

  /** What stands before each child's text; and a word more, so that it can be copied by words. */
  private static final byte[] BEFORE_CHILD =
      ",{\"type\":\"EVENT\",\"timestamp\":        ".getBytes(StandardCharsets.US_ASCII);

  private static final int BEFORE_CHILD_BYTES = BEFORE_CHILD.length - Long.BYTES;

  private final OutputStream out;
  private final byte[] buffer;
  private int used;
  private int skip = 1; // of BEFORE_CHILD: no comma stands before the first

  /**
   * @param count how many children are to come, so that a small tree has a small buffer
   * @param bytes how many bytes they have as {@link Children}
   * @param end null of a session that is open
   * @param abandoned whether the session was ended by the server, for want of anything new
   */
  public TreeWriter(
      OutputStream out,
      long count,
      long bytes,
      Batch.Bound start,
      Batch.Bound end,
      boolean abandoned)
      throws IOException {
    this.out = out;
    String head =
        "{\"type\":\"SESSION\",\"start\":"
            + start.text()
            + (end == null ? ",\"open\":true" : ",\"end\":" + end.text())
            + (abandoned ? ",\"abandoned\":true" : "")
            + ",\"children\":[";
    byte[] begin = head.getBytes(StandardCharsets.US_ASCII);
    long children = bytes + count * (BEFORE_CHILD_BYTES - Children.HEADER_BYTES);
    this.buffer = new byte[(int) Math.min(BUFFER_BYTES, begin.length + children + LAST.length)];
    put(begin, 0, begin.length);
  }

  /** What stands in a tree before the text of each child. */
  public static byte[] beforeChild() {
    return Arrays.copyOfRange(BEFORE_CHILD, 1, BEFORE_CHILD_BYTES);
  }

  /** Adds a child, given as the text of {@link Children}. */
  public void child(byte[] bytes, int offset, int length) throws IOException {
    put(BEFORE_CHILD, skip, BEFORE_CHILD_BYTES - skip);
    skip = 0;
    put(bytes, offset, length);
  }

  /** Ends the tree; nothing may be added after it. */
  public void finish() throws IOException {
    put(LAST, 0, LAST.length);
    flush();
  }

  private void put(byte[] bytes, int offset, int length) throws IOException {
    if (length > buffer.length - used) {
      flush();
      if (length > buffer.length) {
        out.write(bytes, offset, length);
        return;
      }
    }
    Words.copy(bytes, offset, buffer, used, length);
    used += length;
  }

  private void flush() throws IOException {
    out.write(buffer, 0, used);
    used = 0;
  }
}
