package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;

/**
 * The regions of run files that hold a session's oldest children, ordered by age. All but the
 * static methods are guarded by the session.
 */
final class SessionRuns {
  private List<Region> regions = List.of();
  private boolean contiguous = true; // whether each region found begins where its predecessor ends

  boolean isEmpty() {
    return regions.isEmpty();
  }

  void add(Region region) {
    regions = new ArrayList<>(regions);
    regions.add(region);
  }

  /**
   * Adds a region that recovery found. Returns the regions that it makes unnecessary: those of a
   * spill that failed after its file was in place, and was repeated.
   *
   * @param fromLsn the session's log records up to this LSN are in older regions
   */
  List<Region> load(long fromLsn, Region region) {
    List<Region> repeated = regions.stream().filter(older -> older.lsn() > fromLsn).toList();
    regions = regions.stream().filter(older -> older.lsn() <= fromLsn).toList();
    contiguous = (regions.isEmpty() || contiguous) && covered() == fromLsn;
    add(region);
    return repeated;
  }

  /** Returns the LSN of the last log record whose effects the regions hold; 0 if there are none. */
  long covered() {
    return regions.isEmpty() ? 0 : regions.get(regions.size() - 1).lsn();
  }

  /**
   * Returns whether no region is missing, and the regions hold {@code children} in total. Counting
   * alone is not enough: a missing region may be replaced by one of a deleted session with the same
   * id and as many children.
   */
  boolean areComplete(long children) {
    return contiguous && children == regions.stream().mapToLong(Region::count).sum();
  }

  /** Returns the regions in the files. */
  List<Region> in(List<RunFile> files) {
    return regions.stream().filter(region -> files.contains(region.file())).toList();
  }

  /** Replaces regions by the one they were merged into. Returns false if nobody needs that one. */
  boolean replace(List<Region> from, Region to) {
    int at = regions.indexOf(from.get(0));
    if (at < 0) {
      return false;
    }
    List<Region> replaced = new ArrayList<>(regions);
    replaced.removeAll(from);
    replaced.add(at, to);
    regions = List.copyOf(replaced);
    return true;
  }

  /** Removes and returns all regions. */
  List<Region> removeAll() {
    List<Region> forgotten = regions;
    regions = List.of();
    return forgotten;
  }

  /** Returns all regions, whose files stay readable until {@link #release} is called. */
  List<Region> retain() {
    for (Region region : regions) {
      region.file().retain();
    }
    return regions;
  }

  static void release(List<Region> regions) throws IOException {
    for (Region region : regions) {
      region.file().release();
    }
  }

  /** Returns the greater of {@code than} and the region's last timestamp. Reads all of it. */
  static Batch.Bound latest(Region region, Batch.Bound than) throws IOException {
    Batch.Bound latest = than;
    int left = region.count();
    for (Cursor child = Runs.read(List.of(region)); child.next(); left--) {
      if (left == 1 && child.key() > latest.key()) {
        latest = Children.bound(child.key(), child.array(), child.offset());
      }
    }
    return latest;
  }
}
