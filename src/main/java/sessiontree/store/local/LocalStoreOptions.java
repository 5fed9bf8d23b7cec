package sessiontree.store.local;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * How a {@link LocalStore} uses memory and disk.
 *
 * @param memoryBytes of children that are held in memory, of all sessions; bringing the largest of
 *     them into order takes 32 bytes a child more
 * @param logBytes of the write-ahead log: at most so much is replayed after a crash
 * @param fanIn more run files than this are merged into one
 * @param retry how long after a failure it is tried whether the disk takes something
 * @param purge how long what was deleted may lie in the log and in run files
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

  /**
   * With at most 32 run files between merges, a try every second, and a purge every five minutes.
   */
  public LocalStoreOptions(long memoryBytes, long logBytes) {
    this(memoryBytes, logBytes, 32, Duration.ofSeconds(1), Duration.ofMinutes(5), System::nanoTime);
  }

  /** Of trees that were read, in memory; beside the children. */
  long cachedBytes() {
    return memoryBytes / 8;
  }

  /** A file of the journal takes no more lines when it has reached this. */
  long journalBytes() {
    return Math.min(MAX_JOURNAL_BYTES, logBytes / 16);
  }

  /** A segment of the log takes no more records when it has reached this. */
  long segmentBytes() {
    return Math.min(MAX_SEGMENT_BYTES, logBytes / 16);
  }
}
