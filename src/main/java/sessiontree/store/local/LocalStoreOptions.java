package sessiontree.store.local;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Options of a {@link LocalStore}: limits of memory and disk, and intervals.
 *
 * @param memoryBytes limit of the children in memory, of all sessions; sorting the largest sessions
 *     takes another 32 bytes a child
 * @param logBytes limit of the write-ahead log, and so of what is replayed after a crash
 * @param fanIn number of run files above which they are merged into one
 * @param retry time between a failure and the next test of the disk
 * @param purge time for which deleted data may stay in the log and in run files
 * @param nanoTime a clock such as {@link System#nanoTime}
 */
public record LocalStoreOptions(
    long memoryBytes,
    long logBytes,
    int fanIn,
    Duration retry,
    Duration purge,
    LongSupplier nanoTime) {
  private static final long MAX_SEGMENT_BYTES = 16 << 20;
  private static final long MAX_JOURNAL_BYTES = 64 << 10;

  /** Creates options with a fan-in of 32, a retry every second, and a purge every five minutes. */
  public LocalStoreOptions(long memoryBytes, long logBytes) {
    this(memoryBytes, logBytes, 32, Duration.ofSeconds(1), Duration.ofMinutes(5), System::nanoTime);
  }

  /** Returns the limit of the trees cached in memory, which are not part of the children. */
  long cachedBytes() {
    return memoryBytes / 8;
  }

  /** Returns the size at which a journal file takes no more lines. */
  long journalBytes() {
    return Math.min(MAX_JOURNAL_BYTES, logBytes / 16);
  }

  /** Returns the size at which a segment of the log takes no more records. */
  long segmentBytes() {
    return Math.min(MAX_SEGMENT_BYTES, logBytes / 16);
  }
}
