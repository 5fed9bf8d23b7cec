package sessiontree.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The byte layout of children in batches, log records, buffers and runs. They follow one another,
 * each as
 *
 * <pre>
 *   key     8 bytes, big-endian: nanoseconds since the UNIX epoch
 *   length  4 bytes, big-endian: bytes of text
 *   text    the child's JSON object in the tree, UTF-8, without the prefix that all children share
 * </pre>
 *
 * <p>{@link TreeWriter} writes the prefix that all children share, up to the timestamp's
 * characters. Without it, a common event takes 44 bytes instead of 72.
 */
public final class Children {
  /** Bytes before a child's text. */
  public static final int HEADER_BYTES = 12;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

  private Children() {}

  /** Returns the timestamp of the child whose text begins at {@code textOffset}. */
  public static Batch.Bound bound(long key, byte[] bytes, int textOffset) {
    int to = textOffset;
    while (bytes[to] != ',') {
      to++;
    }
    return new Batch.Bound(
        key, new String(bytes, textOffset, to - textOffset, StandardCharsets.US_ASCII));
  }

  public static long key(byte[] bytes, int offset) {
    return (long) LONG.get(bytes, offset);
  }

  /** Returns the bytes of text of the child that begins at {@code offset}. */
  public static int length(byte[] bytes, int offset) {
    return (int) INT.get(bytes, offset + 8);
  }

  public static void putHeader(byte[] bytes, int offset, long key, int length) {
    LONG.set(bytes, offset, key);
    INT.set(bytes, offset + 8, length);
  }
}
