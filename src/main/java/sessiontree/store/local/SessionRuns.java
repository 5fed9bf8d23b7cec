package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;

/**
 * The regions of run files that hold a session's oldest children, ordered by age. Guarded by the
 * session, but for what is static.
 */
final class SessionRuns {
  private List<Region> regions = List.of();
  private boolean follow = true; // each that was found begins where the one before it ends

  boolean isEmpty() {
    return regions.isEmpty();
  }

  void add(Region region) {
    regions = new ArrayList<>(regions);
    regions.add(region);
  }

  /**
   * Adds a region that recovery found. Returns those that it repeats, of a spill that failed when
   * all but done.
   *
   * @param fromLsn the session's log records up to this one are in older regions
   */
  List<Region> load(long fromLsn, Region region) {
    List<Region> repeated = regions.stream().filter(older -> older.lsn() > fromLsn).toList();
    regions = regions.stream().filter(older -> older.lsn() <= fromLsn).toList();
    follow = (regions.isEmpty() || follow) && covered() == fromLsn;
    add(region);
    return repeated;
  }

  /** The last log record whose effects they hold; 0 if there are none. */
  long covered() {
    return regions.isEmpty() ? 0 : regions.get(regions.size() - 1).lsn();
  }

  /**
   * Whether all that were written are there, and hold so many children. The number alone would not
   * do: in the place of one that is gone there may be one of a session that was deleted, and had
   * the same id and as many children.
   */
  boolean areWhole(long children) {
    return follow && children == regions.stream().mapToLong(Region::count).sum();
  }

  /** The regions in the files. */
  List<Region> in(List<RunFile> files) {
    return regions.stream().filter(region -> files.contains(region.file())).toList();
  }

  /** Puts a region in the place of those it was merged from. False if nobody needs it. */
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

  /** Leaves none; returns those that were there. */
  List<Region> forget() {
    List<Region> forgotten = regions;
    regions = List.of();
    return forgotten;
  }

  /** All of them, to be read until they are released. */
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

  /** The greater of a timestamp and the last of a region; reads all of it. */
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
