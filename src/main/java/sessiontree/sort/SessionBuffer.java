package sessiontree.sort;

import java.util.Arrays;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.Children;

/**
 * The children of one session that are in memory. They are kept in the order stored, and sorted on
 * request; children that were added in key order need no sort.
 *
 * <p>Memory: the children's bytes (12 and the text each). A chunk of small batches, of at most
 * {@link #CHUNK_BYTES}, may be half empty, and is copied when it grows. Sorting takes another 16
 * bytes for each child, and as much again for a moment. Not safe for several threads.
 */
public final class SessionBuffer {
  /** Batches up to this size are copied into common chunks; larger arrays become chunks. */
  private static final int SMALL_BYTES = 4 << 10;

  /** Number of children whose lengths are read ahead. */
  private static final int AHEAD = 32;

  private static final int CHUNK_BYTES = 64 << 10;

  private byte[][] chunks = new byte[1][];
  private int[] used = new int[1];
  private int last = -1;
  private boolean lastIsForeign; // a batch's own array, which must not change
  private int count;
  private long bytes;
  private long allocated;
  private boolean ordered = true;
  private long lastKey = Long.MIN_VALUE;

  /**
   * Adds children after the earlier ones.
   *
   * @param children laid out as {@link Children}; the array is kept, and must not change
   */
  public void add(byte[] children, int count) {
    if (count == 0) {
      return;
    }
    for (int i = 0;
        i < children.length && ordered;
        i += Children.HEADER_BYTES + Children.length(children, i)) {
      long key = Children.key(children, i);
      ordered = key >= lastKey;
      lastKey = key;
    }
    this.count += count;
    bytes += children.length;
    if (children.length > SMALL_BYTES) {
      newChunk(children, children.length);
      lastIsForeign = true;
      return;
    }
    if (last < 0 || lastIsForeign || used[last] + children.length > CHUNK_BYTES) {
      newChunk(new byte[children.length], 0);
      lastIsForeign = false;
    } else if (used[last] + children.length > chunks[last].length) {
      int capacity =
          Math.max(used[last] + children.length, Math.min(CHUNK_BYTES, chunks[last].length * 2));
      allocated += capacity - chunks[last].length;
      chunks[last] = Arrays.copyOf(chunks[last], capacity);
    }
    System.arraycopy(children, 0, chunks[last], used[last], children.length);
    used[last] += children.length;
  }

  private void newChunk(byte[] chunk, int filled) {
    last++;
    if (last == chunks.length) {
      chunks = Arrays.copyOf(chunks, last * 2);
      used = Arrays.copyOf(used, last * 2);
    }
    chunks[last] = chunk;
    used[last] = filled;
    allocated += chunk.length;
  }

  /**
   * Returns the children now in {@code buffers}, the oldest first. It shares their bytes; children
   * added to the buffers later are not in it, and none may be added to it.
   */
  public static SessionBuffer snapshot(List<SessionBuffer> buffers) {
    SessionBuffer all = new SessionBuffer();
    for (SessionBuffer one : buffers) {
      if (one.count == 0) {
        continue;
      }
      all.ordered &= one.ordered && all.lastKey <= Children.key(one.chunks[0], 0);
      all.lastKey = one.lastKey;
      for (int c = 0; c <= one.last; c++) {
        all.newChunk(one.chunks[c], one.used[c]);
      }
      all.count += one.count;
      all.bytes += one.bytes;
    }
    return all;
  }

  /** Returns the number of children. */
  public int count() {
    return count;
  }

  /** Returns the bytes of the children, their headers included. */
  public long bytes() {
    return bytes;
  }

  /** Returns the bytes of memory allocated for the children. */
  public long allocated() {
    return allocated;
  }

  /** Returns the greatest timestamp of the children and {@code than}. Reads all children. */
  public Batch.Bound latest(Batch.Bound than) {
    long key = than.key();
    byte[] chunk = null;
    int at = 0;
    for (int c = 0; c <= last; c++) {
      for (int i = 0; i < used[c]; i += Children.HEADER_BYTES + Children.length(chunks[c], i)) {
        if (Children.key(chunks[c], i) > key) {
          key = Children.key(chunks[c], i);
          chunk = chunks[c];
          at = i;
        }
      }
    }
    return chunk == null ? than : Children.bound(key, chunk, at + Children.HEADER_BYTES);
  }

  /** Returns the children in key order. Nothing may be added while the cursor is used. */
  public Cursor sorted() {
    return ordered ? new AsStored() : new Sorted();
  }

  /**
   * Returns the children after the first {@code children}, which are skipped one by one, in the
   * order stored. Nothing may be added while the cursor is used.
   */
  public Cursor since(long children) {
    AsStored since = new AsStored();
    for (long i = 0; i < children; i++) {
      since.next();
    }
    return since;
  }

  private final class AsStored implements Cursor {
    private int chunk;
    private int at;
    private int length = -1;

    @Override
    public boolean next() {
      at += length < 0 ? 0 : length;
      if (chunk <= last && at == used[chunk]) {
        chunk++;
        at = 0;
      }
      if (chunk > last) {
        length = 0;
        return false;
      }
      length = Children.length(chunks[chunk], at);
      at += Children.HEADER_BYTES;
      return true;
    }

    @Override
    public long key() {
      return Children.key(chunks[chunk], at - Children.HEADER_BYTES);
    }

    @Override
    public byte[] array() {
      return chunks[chunk];
    }

    @Override
    public int offset() {
      return at;
    }

    @Override
    public int length() {
      return length;
    }
  }

  private final class Sorted implements Cursor {
    private final long[] keys = new long[count];
    private final long[] places = new long[count]; // index of the chunk, and offset in it
    private final int[] lengths = new int[AHEAD];

    @SuppressWarnings("UnusedVariable") // so that the compiler keeps the reads
    private int touched;

    private int next;

    Sorted() {
      int n = 0;
      for (int c = 0; c <= last; c++) {
        for (int i = 0; i < used[c]; i += Children.HEADER_BYTES + Children.length(chunks[c], i)) {
          keys[n] = Children.key(chunks[c], i);
          places[n++] = (long) c << 32 | i;
        }
      }
      StableSort.sort(keys, places);
    }

    @Override
    public boolean next() {
      if (next == count) {
        return false;
      }
      if (next % AHEAD == 0) {
        lookAhead();
      }
      next++;
      return true;
    }

    @Override
    public long key() {
      return keys[next - 1];
    }

    @Override
    public byte[] array() {
      return chunks[(int) (places[next - 1] >>> 32)];
    }

    @Override
    public int offset() {
      return (int) places[next - 1] + Children.HEADER_BYTES;
    }

    /**
     * Reads the next lengths together, and then the last byte of each child. In shuffled input each
     * read is a cache miss; read together, the misses do not wait for each other.
     */
    private void lookAhead() {
      int until = Math.min(count - next, AHEAD);
      for (int i = 0; i < until; i++) {
        long place = places[next + i];
        lengths[i] = Children.length(chunks[(int) (place >>> 32)], (int) place);
      }
      for (int i = 0; i < until; i++) {
        long place = places[next + i];
        int end = (int) place + Children.HEADER_BYTES + lengths[i];
        touched ^= chunks[(int) (place >>> 32)][end - 1];
      }
    }

    @Override
    public int length() {
      return lengths[(next - 1) % AHEAD];
    }
  }
}
