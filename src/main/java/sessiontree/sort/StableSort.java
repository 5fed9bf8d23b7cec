package sessiontree.sort;

import java.util.Arrays;

/**
 * A stable sort of longs that moves a second array of longs along. Few keys are sorted by
 * insertion; more by radix sort, least significant digit first (Knuth, The Art of Computer
 * Programming, volume 3, 5.2.5): keys that are close together, such as timestamps of one session,
 * differ in few digits. Low digits that all keys share, as those of whole seconds do, are skipped.
 */
final class StableSort {
  private static final int FEW = 48;

  private StableSort() {}

  /** Sorts both arrays by {@code keys}. Takes memory of the same size again while it runs. */
  static void sort(long[] keys, long[] places) {
    if (keys.length <= FEW) {
      insert(keys, places);
    } else {
      byDigits(keys, places);
    }
  }

  private static void insert(long[] keys, long[] places) {
    for (int i = 1; i < keys.length; i++) {
      long key = keys[i];
      long place = places[i];
      int j = i;
      for (; j > 0 && keys[j - 1] > key; j--) {
        keys[j] = keys[j - 1];
        places[j] = places[j - 1];
      }
      keys[j] = key;
      places[j] = place;
    }
  }

  private static void byDigits(long[] keys, long[] places) {
    int n = keys.length;
    long least = Long.MAX_VALUE;
    long differing = 0;
    for (long key : keys) {
      least = Math.min(least, key);
      differing |= key ^ keys[0];
    }
    if (differing == 0) {
      return;
    }
    long greatest = 0;
    for (long key : keys) {
      greatest = Math.max(greatest, key - least);
    }
    int bits = n < 1 << 13 ? 8 : 11;
    int[] starts = new int[1 << bits];
    long[] fromKeys = keys;
    long[] fromPlaces = places;
    long[] toKeys = new long[n];
    long[] toPlaces = new long[n];
    int same = Long.numberOfTrailingZeros(differing);
    for (int shift = same; shift < Long.SIZE && greatest >>> shift != 0; shift += bits) {
      Arrays.fill(starts, 0);
      int mask = starts.length - 1;
      for (long key : fromKeys) {
        starts[(int) ((key - least) >>> shift) & mask]++;
      }
      int sum = 0;
      for (int d = 0; d < starts.length; d++) {
        int inDigit = starts[d];
        starts[d] = sum;
        sum += inDigit;
      }
      for (int i = 0; i < n; i++) {
        int to = starts[(int) ((fromKeys[i] - least) >>> shift) & mask]++;
        toKeys[to] = fromKeys[i];
        toPlaces[to] = fromPlaces[i];
      }
      long[] swap = fromKeys;
      fromKeys = toKeys;
      toKeys = swap;
      swap = fromPlaces;
      fromPlaces = toPlaces;
      toPlaces = swap;
    }
    if (fromKeys != keys) {
      System.arraycopy(fromKeys, 0, keys, 0, n);
      System.arraycopy(fromPlaces, 0, places, 0, n);
    }
  }
}
