package sessiontree.sort;

import java.io.IOException;

/**
 * Children one after another, by ascending key, equal keys in the order stored. It begins before
 * the first. Not safe for several threads.
 */
public interface Cursor {
  /** Moves on; false when there is none left, and from then on. */
  boolean next() throws IOException;

  /** Nanoseconds since the UNIX epoch. */
  long key();

  /** Holds the child's text, until the next move. It may be read only now. */
  byte[] array() throws IOException;

  /** Where the text begins in the array; to be asked for after that. */
  int offset();

  int length();
}
