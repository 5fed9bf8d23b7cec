package sessiontree.store.log;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The segments of a write-ahead log that take no more records, the oldest first. The oldest are
 * deleted when nobody needs their records; a file, the checkpoint, says from which record on the
 * log is whole. Safe for several threads, but one at a time deletes. The log holds the monitor
 * while it seals a segment, which takes several steps.
 */
public final class SealedSegments {
  private static final String CHECKPOINT = "checkpoint";

  private record Sealed(Path path, long firstLsn, long bytes) {}

  private final Disk disk;
  private final Path directory;

  private volatile long bytes; // written while holding this

  // All guarded by this.
  private final ArrayDeque<Sealed> sealed = new ArrayDeque<>();
  private long activeFirstLsn;

  SealedSegments(Disk disk, Path directory) {
    this.disk = disk;
    this.directory = directory;
  }

  synchronized void add(Segment segment, long size) {
    sealed.add(new Sealed(segment.path(), segment.firstLsn(), size));
    bytes += size;
  }

  synchronized void setFirstLsnOfActive(long lsn) {
    activeFirstLsn = lsn;
  }

  /** Returns the total size of the segments. */
  public long bytes() {
    return bytes;
  }

  /** Returns the number of the segments. */
  public synchronized int count() {
    return sealed.size();
  }

  /** Returns the first LSN of the active segment: the next LSN while the segment is empty. */
  public synchronized long firstLsnOfActive() {
    return activeFirstLsn;
  }

  /**
   * Returns the LSN from which on these segments have at most {@code limit} bytes together: the
   * first one of a segment, or of the active one.
   */
  public synchronized long firstLsnOfNewest(long limit) {
    long left = bytes;
    for (Sealed one : sealed) {
      if (left <= limit) {
        return one.firstLsn();
      }
      left -= one.bytes();
    }
    return activeFirstLsn;
  }

  /** Deletes the segments that hold only records before {@code needed}, which nobody needs. */
  public void deleteBefore(long needed) throws IOException {
    List<Sealed> unneeded = before(needed);
    if (unneeded.isEmpty()) {
      return;
    }
    Path temporary = directory.resolve(CHECKPOINT + ".tmp");
    NumberFile.write(disk, directory.resolve(CHECKPOINT), temporary, needed, true);
    disk.sync(directory);
    for (Sealed one : unneeded) {
      disk.delete(one.path());
      synchronized (this) {
        sealed.remove(one);
        bytes -= one.bytes();
      }
    }
  }

  private synchronized List<Sealed> before(long needed) {
    List<Sealed> before = new ArrayList<>();
    Sealed last = null;
    for (Sealed one : sealed) {
      if (last != null && one.firstLsn() <= needed) {
        before.add(last);
      }
      last = one;
    }
    if (last != null && activeFirstLsn <= needed) {
      before.add(last);
    }
    return before;
  }

  /** Returns the LSN from which on no record may be missing; 1 if nothing was ever deleted. */
  long checkpoint() throws IOException {
    try {
      return NumberFile.read(disk, directory.resolve(CHECKPOINT));
    } catch (NoSuchFileException e) {
      return 1;
    }
  }
}
