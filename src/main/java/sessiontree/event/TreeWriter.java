package sessiontree.event;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A writer of a session's JSON tree, child by child, with one buffer of memory. It neither flushes
 * nor closes the stream that it writes to. Not safe for several threads.
 */
public final class TreeWriter {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final byte[] LAST = {']', '}'};

  /** The prefix of each child's text, and a word more so that it can be copied by words. */
  private static final byte[] BEFORE_CHILD =
      ",{\"type\":\"EVENT\",\"timestamp\":        ".getBytes(StandardCharsets.US_ASCII);

  private static final int BEFORE_CHILD_BYTES = BEFORE_CHILD.length - Long.BYTES;

  private final OutputStream out;
  private final byte[] buffer;
  private int used;
  private int skip = 1; // bytes of BEFORE_CHILD: the first child has no comma

  /**
   * @param count the number of children to come, so that a small tree has a small buffer
   * @param bytes the bytes of those children, laid out as {@link Children}
   * @param end the session's end; null if it is open
   * @param abandoned whether the server ended the session, because nothing new came
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

  /** Returns the prefix that each child's text has in a tree. */
  public static byte[] beforeChild() {
    return Arrays.copyOfRange(BEFORE_CHILD, 1, BEFORE_CHILD_BYTES);
  }

  /** Adds a child, given by its text as in {@link Children}. */
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
