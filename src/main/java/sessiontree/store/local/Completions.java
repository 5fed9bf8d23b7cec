package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;

/**
 * Which sessions completed before some time. The times of their trees tell; each folder is read
 * once for every ten minutes by which that time advances, and what it holds of the ten minutes is
 * kept. Safe for several threads.
 */
final class Completions {
  private static final int FOLDERS = 256;
  private static final long AHEAD_MICROS = TimeUnit.MINUTES.toMicros(10);

  private final TreeFiles trees;

  private record Completed(long micros, String id) {}

  // All guarded by this.

  /** Completed sessions up to the time that their folder was read for. */
  private final PriorityQueue<Completed> known =
      new PriorityQueue<>(Comparator.comparingLong(Completed::micros));

  private final List<Completed> told = new ArrayList<>();
  private final long[] readFor = new long[FOLDERS];

  Completions(TreeFiles trees) {
    this.trees = trees;
    Arrays.fill(readFor, Long.MIN_VALUE);
  }

  /** A tree was put in place. */
  synchronized void add(String id, long micros) {
    if (micros < readFor[TreePath.folder(TreePath.of(id))]) {
      known.add(new Completed(micros, id));
    }
  }

  /**
   * Sessions that completed before a time; each again and again, until it is deleted.
   *
   * @param limit of how many are told at a time
   */
  synchronized List<String> before(long micros, int limit) throws IOException {
    for (int folder = 0; folder < FOLDERS; folder++) {
      if (readFor[folder] < micros) {
        read(folder, micros + AHEAD_MICROS);
      }
    }
    known.addAll(told);
    told.clear();
    List<String> ids = new ArrayList<>();
    while (ids.size() < limit && !known.isEmpty() && known.peek().micros < micros) {
      Completed one = known.poll();
      if (trees.completed(one.id) == one.micros) { // or it was deleted, and may be new
        told.add(one);
        ids.add(one.id);
      }
    }
    return ids;
  }

  private void read(int folder, long until) throws IOException {
    for (String path : trees.list(folder)) {
      String id = TreePath.id(path);
      long completed = trees.completed(id);
      if (completed >= readFor[folder] && completed < until) {
        known.add(new Completed(completed, id));
      }
    }
    readFor[folder] = until;
  }
}
