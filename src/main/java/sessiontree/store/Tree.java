package sessiontree.store;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The JSON tree of a complete session, open for reading. If the session is deleted meanwhile, it
 * stays readable for some minutes at least. Not safe for several threads.
 */
public interface Tree extends Closeable {
  /** Returns the tree's length in bytes. */
  long bytes();

  /** Returns a short tag: two trees of one session have the same tag only if they are equal. */
  String tag();

  /** Reads until the target is full or the tree ends; returns the number of bytes read. */
  int read(ByteBuffer target, long position) throws IOException;
}
