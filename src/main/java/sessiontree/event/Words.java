package sessiontree.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Access to byte arrays eight bytes at a time. */
final class Words {
  /** Eight bytes as a long, the first byte lowest. */
  static final VarHandle WORD =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final int MANY_BYTES = 64;

  private Words() {}

  /**
   * Copies bytes. Short copies go word by word if both arrays have room for whole words, which
   * costs half of what {@link System#arraycopy} does. Up to 7 bytes after the copy are overwritten.
   */
  static void copy(byte[] from, int offset, byte[] to, int toOffset, int length) {
    int room = Math.min(from.length - offset, to.length - toOffset);
    if (length > MANY_BYTES || room - length < Long.BYTES) {
      System.arraycopy(from, offset, to, toOffset, length);
    } else {
      for (int k = 0; k < length; k += Long.BYTES) {
        WORD.set(to, toOffset + k, (long) WORD.get(from, offset + k));
      }
    }
  }
}
