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
 * Keeps memory and log within their bounds. At three quarters of the memory's bound the largest
 * buffers are spilled, until a quarter is left. At three quarters of the log's bound, what only its
 * oldest segments hold is made durable elsewhere, and they are deleted, until half of the bound is
 * left: so a session that is finished by then is not spilled for the log. At the bounds themselves
 * the log thread waits.
 *
 * <p>One thread spills. Its other methods are for the threads they name.
 */
final class Checkpointer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Checkpointer.class);

  private static final long NONE = Long.MAX_VALUE;

  /** How often it is looked whether a purge is due, while there are tombstones. */
  private static final long PURGE_LOOK_MILLIS = 500;

  private static final long PURGE_RETRY_NANOS = 100_000_000;

  /**
   * The ids of so many deleted sessions may be in memory, and more: one for so many bytes of the
   * memory's bound. It takes some 150 of them.
   */
  private static final int MIN_DELETIONS = 1_000;

  private static final int DELETION_BYTES = 1 << 10;

  /** Sessions of one run file at most: its index is held in memory while it is written. */
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

  /** Tombstones whose trees are not removed yet. */
  private final ConcurrentSkipListSet<Long> removing = new ConcurrentSkipListSet<>();

  /**
   * During recovery, on a disk that takes nothing: not before memory has reached that is it tried
   * again, as there may be many sessions, and many records. Owned by the thread that recovers.
   */
  private long replaySpillBytes;

  // Tombstones in the log; all guarded by this.
  private long firstTombstone = NONE;
  private long firstTombstoneNanos;
  private long lastTombstone;
  private long lastOfBefore; // the last that recovery has found

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

  /**
   * The log thread has put that many bytes into buffers; negative, if somebody has taken them out.
   */
  synchronized void grew(long bytes) {
    memory += bytes;
    if (isDue() || roomAwaited) {
      notifyAll();
    }
  }

  /**
   * For the log thread: waits while memory or log are at their bounds. False if what would make
   * room fails: then nothing can be taken.
   */
  synchronized boolean awaitRoom() {
    while (memory > memoryBytes || log.sealedBytes() > logBytes) {
      if (failing) {
        return false;
      }
      roomAwaited = true;
      try {
        wait();
      } catch (InterruptedException e) {
        LOG.warn("the log thread was interrupted; it goes on");
      }
    }
    roomAwaited = false;
    return true;
  }

  /** The log thread has a tombstone that is durable; its tree is about to be removed. */
  void removing(long lsn) {
    removing.add(lsn);
    deleted(lsn, nanoTime.getAsLong());
  }

  /** The tree of a tombstone is removed; not durably. */
  void removed(long lsn) {
    removing.remove(lsn);
  }

  /** Recovery has found a tombstone, of the time before: what it leaves is purged at once. */
  synchronized void deletedBefore(long lsn) {
    lastOfBefore = lsn;
    deleted(lsn, nanoTime.getAsLong() - purgeNanos);
  }

  private synchronized void deleted(long lsn, long nanos) {
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

  private synchronized boolean isClosing() {
    return closing;
  }

  synchronized boolean isFailing() {
    return failing;
  }

  /** Bytes of children in memory. */
  synchronized long memory() {
    return memory;
  }

  private boolean isDue() {
    return isMemoryDue() || isLogDue() || isJournalDue();
  }

  /** Guarded by this. */
  private boolean isMemoryDue() {
    return memory > memoryBytes / 4 * 3;
  }

  private boolean isLogDue() {
    return log.sealedBytes() > logBytes / 4 * 3;
  }

  /** What was deleted is in memory until the journal is rewritten without it. */
  private boolean isJournalDue() {
    return journal.deletions() > maxDeletions;
  }

  private void run() {
    while (true) {
      synchronized (this) {
        try {
          if (failing && !closing) {
            wait(retryMillis);
          }
          while (!closing && !failing && !isDue() && !isPurgeDue()) {
            wait(firstTombstone == NONE ? 0 : PURGE_LOOK_MILLIS);
          }
        } catch (InterruptedException e) {
          LOG.warn("the spilling thread was interrupted; it goes on");
        }
        if (closing) {
          return;
        }
      }
      makeRoom();
    }
  }

  /** During recovery, which has one thread: by that. */
  void makeRoomForReplay() {
    try {
      if (memory() > Math.max(memoryBytes, replaySpillBytes)) {
        replaySpillBytes = memory() + memoryBytes / 4; // until it has succeeded
        spill(largest());
        replaySpillBytes = 0;
      }
    } catch (IOException e) { // on a full disk the store opens all the same
      LOG.warn("memory is over its bound, and cannot be spilled: {}", e.toString());
    }
  }

  private void makeRoom() {
    boolean failed = false;
    try {
      boolean memoryDue;
      synchronized (this) {
        memoryDue = isMemoryDue();
      }
      if (memoryDue) {
        spill(largest());
      }
      if (isLogDue()) {
        checkpoint(log.firstLsnOfNewest(logBytes / 2));
      }
      if (isJournalDue()) {
        journal.purge();
      }
      if (isPurgeDue()) {
        purge();
      }
      merge.run();
    } catch (IOException | RuntimeException e) {
      failed = true;
      if (!isFailing() && !isClosing()) {
        LOG.error("memory cannot be spilled, tried again every second: {}", e.toString());
      }
    }
    synchronized (this) {
      failing = failed;
      notifyAll();
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
   * Makes durable elsewhere what the log holds before a record, and deletes the segments that hold
   * nothing else.
   */
  private void checkpoint(long lsn) throws IOException {
    List<LocalSession> needed = new ArrayList<>();
    for (LocalSession session : sessions.all()) {
      if (session.needsLogBefore(lsn)) {
        needed.add(session);
      }
    }
    spill(needed);
    long active = log.firstLsnOfActive(); // whatever was logged before it, sessions know of
    long stillNeeded = active;
    for (LocalSession session : sessions.all()) {
      stillNeeded = Math.min(stillNeeded, session.neededLsn());
    }
    log.deleteBefore(reclaim(Math.max(lsn, stillNeeded)));
  }

  /**
   * Makes durable which trees there are, and their lines in the journal, and reclaims the room of
   * the data that tombstones before a record deleted. Returns that record, or an earlier one up to
   * which this could be done now.
   */
  private long reclaim(long lsn) throws IOException {
    long limit = notBeyond(removing, lsn);
    // After the sessions and the removals: of all that they know, the names are there.
    trees.syncFolders();
    journal.force();
    synchronized (this) {
      if (firstTombstone >= limit) {
        return limit;
      }
    }
    runs.purge(sessions::get);
    journal.purge();
    synchronized (this) {
      firstTombstone = lastTombstone < limit ? NONE : limit;
    }
    return limit;
  }

  /** The record, or the first tombstone if that is before it. The finisher may empty the set. */
  static long notBeyond(NavigableSet<Long> tombstones, long lsn) {
    Long first = tombstones.ceiling(0L); // one look: what it finds may be gone at the next
    return first == null ? lsn : Math.min(lsn, first);
  }

  /** Makes what was deleted leave the log and the run files. */
  private void purge() throws IOException {
    long active = log.firstLsnOfActive();
    boolean sealed = firstTombstone() < active;
    if (sealed) {
      checkpoint(active);
    } else {
      seal.run();
    }
    synchronized (this) {
      // When the log thread has sealed, or the tree went; or others of before are in the next.
      boolean again = !sealed || firstTombstone < active || firstTombstone <= lastOfBefore;
      firstTombstoneNanos = nanoTime.getAsLong() - (again ? purgeNanos - PURGE_RETRY_NANOS : 0);
    }
  }

  private synchronized long firstTombstone() {
    return firstTombstone;
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
        grew(-spill.bytes());
      } else {
        runs.retire(
            written.regions().get(i)); // complete: the log has it until its tree's name is durable
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
