package sessiontree.sort;

import java.io.IOException;
import java.util.List;

/**
 * A cursor that merges sorted cursors. Of equal keys, those of the earlier cursor come first, so
 * the order stored is kept if the cursors are given by age. It is a binary heap: for each child, at
 * most two comparisons of longs on each of log2(cursors) levels, and one or two in all if the
 * cursors hardly overlap.
 */
public final class MergeIterator implements Cursor {
  private final Cursor[] heap; // the least key first
  private final int[] ages;
  private final long[] keys;
  private int size;
  private boolean begun;

  private MergeIterator(int cursors) {
    this.heap = new Cursor[cursors];
    this.ages = new int[cursors];
    this.keys = new long[cursors];
  }

  /**
   * Returns a cursor over the children of all cursors.
   *
   * @param cursors the oldest first, each before its first child
   */
  public static Cursor of(List<? extends Cursor> cursors) throws IOException {
    if (cursors.size() == 1) {
      return cursors.get(0);
    }
    MergeIterator merged = new MergeIterator(cursors.size());
    for (int age = 0; age < cursors.size(); age++) {
      Cursor cursor = cursors.get(age);
      if (cursor.next()) {
        merged.place(merged.size++, cursor, age, cursor.key());
      }
    }
    for (int i = merged.size / 2 - 1; i >= 0; i--) {
      merged.siftDown(i);
    }
    return merged;
  }

  @Override
  public boolean next() throws IOException {
    if (begun && size > 0) {
      if (heap[0].next()) {
        keys[0] = heap[0].key();
      } else {
        size--;
        place(0, heap[size], ages[size], keys[size]);
        heap[size] = null;
      }
      siftDown(0);
    }
    begun = true;
    return size > 0;
  }

  private void siftDown(int from) {
    int i = from;
    Cursor cursor = heap[i];
    int age = ages[i];
    long key = keys[i];
    while (2 * i + 1 < size) {
      int least = 2 * i + 1;
      if (least + 1 < size && before(keys[least + 1], ages[least + 1], keys[least], ages[least])) {
        least++;
      }
      if (!before(keys[least], ages[least], key, age)) {
        break;
      }
      place(i, heap[least], ages[least], keys[least]);
      i = least;
    }
    place(i, cursor, age, key);
  }

  private void place(int i, Cursor cursor, int age, long key) {
    heap[i] = cursor;
    ages[i] = age;
    keys[i] = key;
  }

  private static boolean before(long key, int age, long otherKey, int otherAge) {
    return key < otherKey || (key == otherKey && age < otherAge);
  }

  @Override
  public long key() {
    return keys[0];
  }

  @Override
  public byte[] array() throws IOException {
    return heap[0].array();
  }

  @Override
  public int offset() {
    return heap[0].offset();
  }

  @Override
  public int length() {
    return heap[0].length();
  }
}
