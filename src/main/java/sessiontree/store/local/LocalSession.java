package sessiontree.store.local;

import java.io.IOException;
import java.io.OutputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.sort.MergeIterator;
import sessiontree.sort.SessionBuffer;
import sessiontree.store.Append;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.Listing;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;
import sessiontree.store.log.DamageException;

/**
 * The stored state of one session. Its children are, oldest first, in runs on disk, in buffers that
 * are being spilled, and in a buffer that grows. Changed by the log thread once a group is durable,
 * and by the threads that spill and finish.
 */
final class LocalSession implements StoredSession {
  private static final Logger LOG = LoggerFactory.getLogger(LocalSession.class);

  static final long NONE = Long.MAX_VALUE;

  private final Owner owner;
  private final String id;

  /** The sequence once the log thread's current group is durable. Owned by the log thread. */
  long expected;

  /** Callbacks that wait for the tree. Owned by the thread that runs callbacks. */
  final HeldCallbacks callbacks = new HeldCallbacks();

  /** Written while holding this. */
  private volatile boolean deleted;

  // All guarded by this.
  private final SessionHeader header = new SessionHeader();
  private boolean publishing; // whether its tree is being published
  private boolean damageLogged;
  private final SessionRuns runs = new SessionRuns();
  private final SessionMemory memory = new SessionMemory();
  private long firstLsn = NONE; // LSN of the oldest log record that no run covers
  private long firstLsnSinceSpill =
      NONE; // likewise, of the records since the spill in progress began

  /** The store. */
  interface Owner {
    void append(LocalSession session, Append append);

    /** Returns the tag of the session's tree; null if it has none. */
    String tag(String id) throws IOException;
  }

  /**
   * Creates a session that is new or complete.
   *
   * @param facts the facts of its tree; null for a new session
   */
  LocalSession(Owner owner, String id, TreeFacts facts) {
    this.owner = owner;
    this.id = id;
    if (facts != null) {
      header.phase = Phase.COMPLETE;
      header.entries = facts.entries();
      header.writers = facts.writers();
    }
  }

  String id() {
    return id;
  }

  @Override
  public synchronized SessionState state() {
    return header.state();
  }

  @Override
  public synchronized long lastNumber(String writer) {
    return header.writers.getOrDefault(writer, 0L);
  }

  @Override
  public synchronized int writers() {
    return header.writers.size();
  }

  /** Returns the last number of each named writer. */
  synchronized Map<String, Long> lastNumbers() {
    return Map.copyOf(header.writers);
  }

  synchronized Phase phase() {
    return header.phase;
  }

  /** Returns how many appends are stored. */
  synchronized long sequence() {
    return header.sequence;
  }

  @Override
  public void append(Append append) {
    owner.append(this, append);
  }

  /** Returns the session as a page lists it; null unless it is open or its tree is being made. */
  synchronized Listing.Listed listed(Instant begun) {
    return header.isInProgress() ? header.listed(id, begun) : null;
  }

  /** Returns when it was begun, in microseconds since the UNIX epoch; 0 if unknown. */
  synchronized long begunMicros() {
    return header.start == null ? 0 : header.start.epochMicros();
  }

  /** Returns the running time of the last append, in milliseconds. */
  synchronized long lastMillis() {
    return header.lastMillis;
  }

  /** Returns the session if it is open and idle since {@code millis} of running time, or null. */
  synchronized Seen idleSince(long millis) {
    return header.phase == Phase.OPEN && header.lastMillis <= millis
        ? new Seen(id, header.lastRecord())
        : null;
  }

  @Override
  public String version() throws IOException {
    synchronized (this) {
      if (header.phase != Phase.COMPLETE) {
        return header.phase == Phase.NEW ? null : header.lastRecord();
      }
    }
    return owner.tag(id);
  }

  /** Undoes the log thread's changes of {@code expected}: nothing of its group became durable. */
  synchronized void resetExpected() {
    expected = header.sequence;
  }

  /** Applies a record that is durable. Returns by how many bytes the session's memory grew. */
  synchronized long apply(LogRecord record) {
    long before = memory.bytes();
    header.apply(record);
    expected = header.sequence;
    firstLsn = Math.min(firstLsn, record.lsn());
    firstLsnSinceSpill = Math.min(firstLsnSinceSpill, record.lsn());
    if (record.count() > 0) {
      memory.add(record.children(), record.count());
    }
    return memory.bytes() - before;
  }

  /**
   * Forgets everything, as the deletion is durable. Returns the regions that nobody needs any more,
   * and by how many bytes the session's memory shrank.
   */
  synchronized Deleted delete() {
    long bytes = memory.bytes();
    header.delete();
    expected = header.sequence;
    memory.clear();
    firstLsn = NONE;
    deleted = true;
    return new Deleted(forgetRuns(), bytes);
  }

  record Deleted(List<Region> regions, long bytes) {}

  /** Returns the bytes of memory that its children take. */
  synchronized long memory() {
    return memory.bytes();
  }

  /**
   * Restores the state from a run file's entry. Returns the regions that {@code region} makes
   * unnecessary: those of a spill that failed after its file was in place, and was repeated.
   */
  synchronized List<Region> load(RunEntry entry, Region region) {
    header.load(entry);
    expected = header.sequence;
    return runs.load(entry.fromLsn(), region);
  }

  /** Returns whether the effects of a log record are in the session's runs. */
  synchronized boolean covers(long lsn) {
    return lsn <= covered();
  }

  /** Returns the LSN of the last log record whose effects are in its runs; 0 if it has no runs. */
  synchronized long covered() {
    return runs.covered();
  }

  /** Returns the oldest LSN that no run covers, or {@link #NONE}; once published, it needs none. */
  synchronized long neededLsn() {
    return header.phase == Phase.COMPLETE ? NONE : firstLsn;
  }

  // --- Spilling. One thread spills, so a session has at most one spill in progress.

  /** A spill in progress. */
  record Spill(LocalSession session, RunEntry state, List<SessionBuffer> buffers, long bytes)
      implements Runs.Source {
    @Override
    public Cursor children() throws IOException {
      List<Cursor> cursors = new ArrayList<>();
      for (SessionBuffer one : buffers) {
        cursors.add(one.sorted());
      }
      return MergeIterator.of(cursors);
    }
  }

  /**
   * Freezes the children in memory so that they can be written as a run. Returns null if no run is
   * needed: the session is complete, or runs cover all its records.
   */
  synchronized Spill beginSpill() {
    if (header.phase == Phase.COMPLETE || firstLsn == NONE) {
      return null;
    }
    firstLsnSinceSpill = NONE;
    return new Spill(this, header.entry(id, covered()), memory.beginSpill(), memory.bytes());
  }

  /**
   * Forgets what was spilled, as the run is durable. Returns false if the session is complete or
   * deleted, so that nobody needs the run.
   */
  synchronized boolean endSpill(Region region) {
    if (header.phase == Phase.COMPLETE || deleted) {
      return false;
    }
    memory.endSpill();
    firstLsn = firstLsnSinceSpill;
    runs.add(region);
    return true;
  }

  /** Returns the session's regions in the files. */
  synchronized List<Region> regionsIn(List<RunFile> files) {
    return runs.in(files);
  }

  /** Replaces regions by the one they were merged into. Returns false if nobody needs that one. */
  synchronized boolean replace(List<Region> from, Region to) {
    return runs.replace(from, to);
  }

  // --- Finishing. The session may be deleted at any time meanwhile.

  /** Returns false if the session is deleted, and so needs no tree. */
  synchronized boolean beginPublishing() {
    publishing = !deleted;
    return publishing;
  }

  synchronized void endPublishing() {
    publishing = false;
    notifyAll();
  }

  /** Waits until no tree of the session can appear any more. Called after its deletion. */
  synchronized void awaitPublished() throws InterruptedException {
    while (publishing) {
      wait();
    }
  }

  boolean isDeleted() {
    return deleted;
  }

  /** Logs that the session is damaged, on the first call only. */
  void logDamage(DamageException damage) {
    if (isFirstDamage()) {
      LOG.error("session={} is damaged, and can only be deleted: {}", id, damage.toString());
    }
  }

  private synchronized boolean isFirstDamage() {
    boolean first = !damageLogged;
    damageLogged = true;
    return first;
  }

  /** Marks the session as damaged, unless it was deleted meanwhile. */
  synchronized void damaged() {
    header.phase = deleted ? header.phase : Phase.DAMAGED;
  }

  synchronized boolean hasRuns() {
    return !runs.isEmpty();
  }

  /** Returns whether the runs hold all children that the state counts. Call before log replay. */
  synchronized boolean hasAllRuns() {
    return runs.areComplete(header.children());
  }

  /** Returns how the session ended; null while it has not. */
  synchronized End end() {
    return header.end;
  }

  @Override
  public Batch.Bound latest() throws IOException {
    Batch.Bound latest;
    List<Region> regions;
    synchronized (this) {
      latest = memory.latest(header.start.bound());
      regions = runs.retain();
    }
    try {
      for (Region region : regions) {
        latest = SessionRuns.latest(region, latest);
      }
      return latest;
    } finally {
      SessionRuns.release(regions);
    }
  }

  /** Returns the completion line of a session that has ended. */
  synchronized JournalLine line() {
    return JournalLine.completed(header.end.epochMicros(), header.lastLsn, header.lastMillis, id);
  }

  /** Returns the facts of a session that has ended: its last record is the one that ended it. */
  synchronized TreeFacts facts() {
    return new TreeFacts(header.lastLsn, header.entries, Map.copyOf(header.writers));
  }

  /** Returns what is stored of a session that is open or whose tree is being made, or null. */
  synchronized SessionSnapshot partialSnapshot() {
    return header.isInProgress() ? snapshot(null) : null;
  }

  /** Returns a snapshot with that end, or none. Guarded by this. */
  private SessionSnapshot snapshot(End shown) {
    return new SessionSnapshot(
        this, header.start.bound(), shown, header.children(), runs.retain(), memory.snapshot());
  }

  @Override
  public synchronized Cursor since(long children) {
    SessionBuffer buffers = memory.snapshot();
    long before = header.children() - buffers.count();
    boolean known = before <= children && children <= before + buffers.count();
    return known && header.isInProgress() ? buffers.since(children - before) : null;
  }

  /** Writes the tree of a session that has ended, and so does not change any more. */
  void write(OutputStream out) throws IOException {
    SessionSnapshot all;
    synchronized (this) {
      all = snapshot(header.end);
    }
    try {
      all.write(out);
    } finally {
      all.release();
    }
  }

  /**
   * Marks the session as complete: its tree is in place, but its name may not be durable yet.
   * Returns by how many bytes the session's memory shrank.
   */
  synchronized long published() {
    if (deleted) {
      return 0;
    }
    long bytes = memory.bytes();
    header.phase = Phase.COMPLETE;
    memory.clear();
    return bytes;
  }

  /** Forgets and returns the regions: none is needed once the tree and its name are durable. */
  synchronized List<Region> forgetRuns() {
    return runs.removeAll();
  }
}
