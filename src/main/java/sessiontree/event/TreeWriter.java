package sessiontree.event;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Writes the JSON tree of a session, child by child, in memory of one buffer. Not safe for several
 * threads. It neither flushes nor closes what it writes to.
 */
public final class TreeWriter {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final byte[] LAST = {']', '}'};

  private final OutputStream out;
  private final byte[] buffer;
  private int used;
  private boolean first = true;

  /**
   * @param children how many bytes of children are to come, so that a small tree has a small buffer
   * @param abandoned whether the session was ended by the server, for want of anything new
   */
  public TreeWriter(
      OutputStream out, long children, Batch.Bound start, Batch.Bound end, boolean abandoned)
      throws IOException {
    this.out = out;
    String head =
        "{\"type\":\"SESSION\",\"start\":"
            + start.text()
            + ",\"end\":"
            + end.text()
            + (abandoned ? ",\"abandoned\":true" : "")
            + ",\"children\":[";
    byte[] bytes = head.getBytes(StandardCharsets.US_ASCII);
    this.buffer = new byte[(int) Math.min(BUFFER_BYTES, bytes.length + children + LAST.length)];
    put(bytes, 0, bytes.length);
  }

  /** Adds a child, given as the text of {@link Children}. */
  public void child(byte[] bytes, int offset, int length) throws IOException {
    if (!first) {
      if (used == buffer.length) {
        flush();
      }
      buffer[used++] = ',';
    }
    first = false;
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
    System.arraycopy(bytes, offset, buffer, used, length);
    used += length;
  }

  private void flush() throws IOException {
    out.write(buffer, 0, used);
    used = 0;
  }
}
