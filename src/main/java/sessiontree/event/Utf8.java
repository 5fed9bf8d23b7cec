package sessiontree.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Checks that bytes are valid UTF-8 (RFC 3629, section 4: no surrogates, nothing overlong). ASCII,
 * the common case, is checked eight bytes at a time; nothing is allocated.
 */
public final class Utf8 {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private Utf8() {}

  public static boolean isValid(byte[] bytes, int offset, int length) {
    int end = offset + length;
    for (int i = offset; i < end; ) {
      if (bytes[i] >= 0) {
        i++;
        while (end - i >= Long.BYTES && ((long) LONG.get(bytes, i) & 0x8080808080808080L) == 0) {
          i += Long.BYTES;
        }
      } else {
        int size = size(bytes, i, end);
        if (size == 0) {
          return false;
        }
        i += size;
      }
    }
    return true;
  }

  /** Returns the number of bytes of the non-ASCII character at {@code i}; 0 if it is not valid. */
  private static int size(byte[] bytes, int i, int end) {
    int first = bytes[i] & 0xff;
    int size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || end - i < size) {
      return 0;
    }
    // The second byte reveals overlong forms, surrogates, and code points beyond U+10FFFF.
    int second = bytes[i + 1] & 0xff;
    int least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    int most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    boolean valid = second >= least && second <= most;
    for (int k = 2; k < size; k++) {
      valid &= (bytes[i + k] & 0xc0) == 0x80;
    }
    return valid ? size : 0;
  }
}
