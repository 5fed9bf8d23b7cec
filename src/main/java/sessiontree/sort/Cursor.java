package sessiontree.sort;

import java.io.IOException;

/**
 * A cursor over children. They come by ascending key, those with equal keys in the order stored,
 * unless the method that returns the cursor says otherwise. It starts before the first child. Not
 * safe for several threads.
 */
public interface Cursor {
  /** Moves to the next child; returns false if none is left, also when called again. */
  boolean next() throws IOException;

  /** Returns the child's key: nanoseconds since the UNIX epoch. */
  long key();

  /** Returns the array with the text, valid until the next move; may read the text only now. */
  byte[] array() throws IOException;

  /** Returns the text's offset in the array; call it after {@link #array}. */
  int offset();

  int length();
}
