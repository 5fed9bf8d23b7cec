package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.store.DaemonThreads;
import sessiontree.store.log.WriteAheadLog;

/**
 * Keeps memory and log within their bounds. At three quarters of the memory bound, the largest
 * buffers are spilled until a quarter is left. At three quarters of the log bound, data that only
 * the oldest segments hold is made durable elsewhere and these segments are deleted, until half of
 * the bound is left. As this begins that late, short sessions are finished before they would be
 * spilled for the log. At the bounds themselves the log thread waits.
 *
 * <p>The spill thread does the work; other threads call the methods that name them.
 */
final class Checkpointer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Checkpointer.class);

  private static final long NONE = Long.MAX_VALUE;

  /** Interval at which the spill thread checks for a due purge, while there are tombstones. */
  private static final long PURGE_LOOK_MILLIS = 500;

  private static final long PURGE_RETRY_NANOS = 100_000_000;

  /**
   * Number of deleted sessions whose ids may be in memory; if more, one for each {@link
   * #DELETION_BYTES} of the memory bound. An id takes about 150 bytes.
   */
  private static final int MIN_DELETIONS = 1_000;

  private static final int DELETION_BYTES = 1 << 10;

  /** Limit of the sessions in one run file, whose index is held in memory while it is written. */
  private static final int MAX_SOURCES = 1 << 17;

  private final Runs runs;
  private final TreeFiles trees;
  private final Journal journal;
  private final WriteAheadLog log;
  private final OpenSessions sessions;
  private final long memoryBytes;
  private final long logBytes;
  private final long maxDeletions;
  private final long retryMillis;
  private final Runnable merge;
  private final Runnable seal;
  private final Metrics metrics;
  private final long purgeNanos;
  private final LongSupplier nanoTime;

  private final Thread thread = DaemonThreads.named("spill").newThread(this::run);

  // All guarded by this.
  private long memory;
  private boolean roomAwaited; // by the log thread
  private boolean failing;
  private boolean closing;

  /** LSNs of tombstones whose trees are not removed yet. */
  private final ConcurrentSkipListSet<Long> removing = new ConcurrentSkipListSet<>();

  /**
   * Memory size up to which recovery does not spill again, after a spill failed on a full disk:
   * there may be many sessions, and many records to replay. Owned by the recovering thread.
   */
  private long replaySpillBytes;

  // Tombstones in the log: LSNs, and when the first was added. Guarded by this.
  private long firstTombstone = NONE;
  private long firstTombstoneNanos;
  private long lastTombstone;
  private long lastRecoveredTombstone; // the last one that recovery found

  Checkpointer(
      Runs runs,
      TreeFiles trees,
      Journal journal,
      WriteAheadLog log,
      OpenSessions sessions,
      LocalStoreOptions options,
      Runnable merge,
      Runnable seal,
      Metrics metrics) {
    this.runs = runs;
    this.trees = trees;
    this.journal = journal;
    this.log = log;
    this.sessions = sessions;
    this.memoryBytes = options.memoryBytes();
    this.logBytes = options.logBytes();
    this.maxDeletions = Math.max(MIN_DELETIONS, options.memoryBytes() / DELETION_BYTES);
    this.retryMillis = options.retry().toMillis();
    this.merge = merge;
    this.seal = seal;
    this.metrics = metrics;
    this.purgeNanos = options.purge().toNanos();
    this.nanoTime = options.nanoTime();
  }

  void start() {
    thread.start();
  }

  /** Counts bytes that the log thread has added to buffers; negative if some were released. */
  synchronized void addMemory(long bytes) {
    memory += bytes;
    if (isDue() || roomAwaited) {
      notifyAll();
    }
  }

  /**
   * Waits while memory or log are over their bounds; called by the log thread. Returns false if
   * making room fails: then nothing can be stored.
   */
  synchronized boolean awaitRoom() {
    while (memory > memoryBytes || log.sealed().bytes() > logBytes) {
      if (failing) {
        return false;
      }
      roomAwaited = true;
      DaemonThreads.await(this, 0);
    }
    roomAwaited = false;
    return true;
  }

  /** Adds a durable tombstone, whose tree is about to be removed. Called by the log thread. */
  void treeRemovalBegins(long lsn) {
    removing.add(lsn);
    addTombstone(lsn, nanoTime.getAsLong());
  }

  /** Marks the tree of a tombstone as removed, though not durably yet. */
  void treeRemoved(long lsn) {
    removing.remove(lsn);
  }

  /** Adds a tombstone that recovery found in the log: deleted data is then purged at once. */
  synchronized void addRecoveredTombstone(long lsn) {
    lastRecoveredTombstone = lsn;
    addTombstone(lsn, nanoTime.getAsLong() - purgeNanos);
  }

  private synchronized void addTombstone(long lsn, long nanos) {
    if (firstTombstone == NONE) {
      firstTombstone = lsn;
      firstTombstoneNanos = nanos;
      notifyAll();
    }
    lastTombstone = lsn;
  }

  private synchronized boolean isPurgeDue() {
    return firstTombstone != NONE && nanoTime.getAsLong() - firstTombstoneNanos >= purgeNanos;
  }

  synchronized boolean isFailing() {
    return failing;
  }

  /** Returns the bytes of children in memory. */
  synchronized long memory() {
    return memory;
  }

  private boolean isDue() {
    return isMemoryDue() || isLogDue() || isJournalDue();
  }

  private synchronized boolean isMemoryDue() {
    return memory > memoryBytes / 4 * 3;
  }

  private boolean isLogDue() {
    return log.sealed().bytes() > logBytes / 4 * 3;
  }

  /** Returns whether too many ids of deleted sessions wait in memory for a purge of the journal. */
  private boolean isJournalDue() {
    return journal.deletions() > maxDeletions;
  }

  private void run() {
    while (true) {
      synchronized (this) {
        if (failing && !closing) {
          DaemonThreads.await(this, retryMillis);
        }
        while (!closing && !failing && !isDue() && !isPurgeDue()) {
          DaemonThreads.await(this, firstTombstone == NONE ? 0 : PURGE_LOOK_MILLIS);
        }
        if (closing) {
          return;
        }
      }
      makeRoom();
    }
  }

  /** Spills during recovery, on the recovering thread. */
  void makeRoomForReplay() {
    try {
      if (memory() > Math.max(memoryBytes, replaySpillBytes)) {
        replaySpillBytes = memory() + memoryBytes / 4; // unless the spill succeeds
        spill(largest());
        replaySpillBytes = 0;
      }
    } catch (IOException e) { // the store opens even if the disk is full
      LOG.warn("memory is over its bound, and cannot be spilled: {}", e.toString());
    }
  }

  private void makeRoom() {
    Exception failure = null;
    try {
      if (isMemoryDue()) {
        spill(largest());
      }
      if (isLogDue()) {
        checkpoint(log.sealed().firstLsnOfNewest(logBytes / 2));
      }
      if (isJournalDue()) {
        journal.purge();
      }
      if (isPurgeDue()) {
        purge();
      }
      merge.run();
    } catch (IOException | RuntimeException e) {
      failure = e;
    }
    boolean news;
    synchronized (this) {
      news = failure != null && !failing && !closing;
      failing = failure != null;
      notifyAll();
    }
    if (news) {
      LOG.error("memory or log cannot be reclaimed, retried: {}", failure.toString());
    }
  }

  private record Sized(LocalSession session, long bytes) {}

  private List<LocalSession> largest() {
    List<Sized> sized = new ArrayList<>();
    for (LocalSession session : sessions.all()) {
      long bytes = session.memory();
      if (bytes > 0) {
        sized.add(new Sized(session, bytes));
      }
    }
    sized.sort(Comparator.comparingLong(Sized::bytes).reversed());
    List<LocalSession> largest = new ArrayList<>();
    long left = memory();
    for (Sized one : sized) {
      if (left <= memoryBytes / 4) {
        break;
      }
      largest.add(one.session());
      left -= one.bytes();
    }
    return largest;
  }

  /**
   * Makes durable elsewhere what the log holds before {@code lsn}, and deletes the segments that
   * hold only such records.
   */
  private void checkpoint(long lsn) throws IOException {
    List<LocalSession> needed = new ArrayList<>();
    for (LocalSession session : sessions.all()) {
      if (session.neededLsn() < lsn) {
        needed.add(session);
      }
    }
    spill(needed);
    // All records before were applied to their sessions.
    long active = log.sealed().firstLsnOfActive();
    long stillNeeded = active;
    for (LocalSession session : sessions.all()) {
      stillNeeded = Math.min(stillNeeded, session.neededLsn());
    }
    log.sealed().deleteBefore(reclaim(Math.max(lsn, stillNeeded)));
  }

  /**
   * Makes durable which trees exist, and their journal lines, and reclaims the space of data that
   * tombstones before {@code lsn} deleted. Returns the LSN up to which this could be done now:
   * {@code lsn}, or a smaller one.
   */
  private long reclaim(long lsn) throws IOException {
    long limit = smallestOf(removing, lsn);
    // After sessions and removals were read: their trees are already renamed or unlinked.
    trees.syncFolders();
    journal.force();
    if (!hasTombstoneBefore(limit)) {
      return limit;
    }
    runs.purge(sessions::get);
    journal.purge();
    synchronized (this) {
      firstTombstone = lastTombstone < limit ? NONE : limit;
    }
    return limit;
  }

  /** Returns the smaller of {@code lsn} and the first tombstone. The finisher may empty the set. */
  static long smallestOf(NavigableSet<Long> tombstones, long lsn) {
    Long first = tombstones.ceiling(0L); // read once: the set may be empty at a second read
    return first == null ? lsn : Math.min(lsn, first);
  }

  /** Purges deleted data from the log and the run files. */
  private void purge() throws IOException {
    long active = log.sealed().firstLsnOfActive();
    boolean sealed = hasTombstoneBefore(active);
    if (sealed) {
      checkpoint(active);
    } else {
      seal.run();
    }
    synchronized (this) {
      // Again soon if the segment is not sealed yet, a tree is not removed yet, or tombstones that
      // recovery found remain.
      boolean again =
          !sealed || firstTombstone < active || firstTombstone <= lastRecoveredTombstone;
      firstTombstoneNanos = nanoTime.getAsLong() - (again ? purgeNanos - PURGE_RETRY_NANOS : 0);
    }
  }

  private synchronized boolean hasTombstoneBefore(long lsn) {
    return firstTombstone < lsn;
  }

  private void spill(List<LocalSession> chosen) throws IOException {
    chosen.sort(Comparator.comparing(LocalSession::id));
    for (int from = 0; from < chosen.size(); from += MAX_SOURCES) {
      spillOne(chosen.subList(from, Math.min(chosen.size(), from + MAX_SOURCES)));
    }
  }

  private void spillOne(List<LocalSession> chosen) throws IOException {
    List<LocalSession.Spill> begun = new ArrayList<>();
    for (LocalSession session : chosen) {
      LocalSession.Spill spill = session.beginSpill();
      if (spill != null) {
        begun.add(spill);
      }
    }
    if (begun.isEmpty()) {
      return;
    }
    Runs.Written written = runs.write(begun);
    metrics.spills.inc();
    metrics.spilledBytes.inc(written.file().bytes());
    for (int i = 0; i < begun.size(); i++) {
      LocalSession.Spill spill = begun.get(i);
      if (spill.session().endSpill(written.regions().get(i))) {
        addMemory(-spill.bytes());
      } else {
        // Complete: the log has the children until the name of its tree is durable.
        runs.retire(written.regions().get(i));
      }
    }
    runs.admit(written.file());
  }

  @Override
  public void close() {
    runs.stop();
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
