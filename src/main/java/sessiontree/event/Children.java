package sessiontree.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * How children lie in bytes, everywhere: in batches, log records, buffers and runs. One after
 * another, each
 *
 * <pre>
 *   key     8 bytes, big-endian: nanoseconds since the UNIX epoch
 *   length  4 bytes, big-endian: bytes of text
 *   text    the JSON object that stands in the tree, UTF-8
 * </pre>
 */
public final class Children {
  /** Bytes before a child's text. */
  public static final int HEADER_BYTES = 12;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

  /** What each child's text begins with; the timestamp's characters follow, and a comma. */
  static final byte[] BEFORE_TIMESTAMP =
      "{\"type\":\"EVENT\",\"timestamp\":".getBytes(StandardCharsets.US_ASCII);

  private Children() {}

  /** The timestamp of the child whose text is at the offset. */
  public static Batch.Bound bound(long key, byte[] bytes, int textOffset) {
    int from = textOffset + BEFORE_TIMESTAMP.length;
    int to = from;
    while (bytes[to] != ',') {
      to++;
    }
    return new Batch.Bound(key, new String(bytes, from, to - from, StandardCharsets.US_ASCII));
  }

  public static long key(byte[] bytes, int offset) {
    return (long) LONG.get(bytes, offset);
  }

  /** Bytes of text of the child at the offset. */
  public static int length(byte[] bytes, int offset) {
    return (int) INT.get(bytes, offset + 8);
  }

  public static void putHeader(byte[] bytes, int offset, long key, int length) {
    LONG.set(bytes, offset, key);
    INT.set(bytes, offset + 8, length);
  }
}
