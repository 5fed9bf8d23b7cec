package sessiontree.store.local;

import java.io.IOException;
import java.io.OutputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
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

/**
 * What is stored of one session. Its children lie, the oldest first, in runs on disk, in buffers
 * that are being spilled, and in a buffer that grows. Changed by the log thread, when a group is
 * durable, and by those that spill and finish.
 */
final class LocalSession implements StoredSession {
  static final long NONE = Long.MAX_VALUE;

  private final Owner owner;
  private final String id;

  /** The sequence when what is in the log thread's hands is durable; that thread's own. */
  long expected;

  /** What waits for the tree; null if nothing does. Owned by the thread that runs callbacks. */
  private HeldCallbacks held;

  /** Set within synchronized (this). */
  private volatile boolean deleted;

  // All guarded by this.
  private Phase phase;
  private long sequence;
  private long entries;
  private Map<String, Long> writers;
  private Begin start;
  private End end;
  private boolean publishing; // its tree
  private boolean damageTold;
  private final SessionRuns runs = new SessionRuns();
  private List<SessionBuffer> spilling = List.of();
  private SessionBuffer buffer; // null while it has nothing
  private long lastLsn;
  private long lastMillis; // when it was appended, as RunningTime counts
  private long firstLsn = NONE; // of the oldest log record that no run covers
  private long firstLsnSince = NONE; // likewise, of those that came since the spill under way began

  /** The store. */
  interface Owner {
    void append(LocalSession session, Append append);

    /** Of the tree of that id; null if there is none. */
    String tag(String id) throws IOException;
  }

  /**
   * A session that is new, or complete.
   *
   * @param facts what stands beside its tree; null for a new one
   */
  LocalSession(Owner owner, String id, TreeFacts facts) {
    this.owner = owner;
    this.id = id;
    this.phase = facts == null ? Phase.NEW : Phase.COMPLETE;
    this.entries = facts == null ? 0 : facts.entries();
    this.writers = facts == null ? Map.of() : facts.writers();
  }

  String id() {
    return id;
  }

  @Override
  public synchronized SessionState state() {
    return new SessionState(phase, sequence, entries, start == null ? 0 : start.bound().key());
  }

  @Override
  public synchronized long lastNumber(String writer) {
    return writers.getOrDefault(writer, 0L);
  }

  @Override
  public synchronized int writers() {
    return writers.size();
  }

  /** The last number of each named writer. */
  synchronized Map<String, Long> lastNumbers() {
    return Map.copyOf(writers);
  }

  synchronized Phase phase() {
    return phase;
  }

  /** How many appends it has taken. */
  synchronized long sequence() {
    return sequence;
  }

  @Override
  public void append(Append append) {
    owner.append(this, append);
  }

  /** What a page has of it; null when it is complete, or there is nothing. */
  synchronized Listing.Listed listed(Instant begun) {
    return phase == Phase.OPEN || phase == Phase.ENDED
        ? new Listing.Listed(id, false, begun, null, start.bound().text(), null, entries, 0)
        : null;
  }

  /** When it was begun; 0 if that is not known. */
  synchronized long begunMicros() {
    return start == null ? 0 : start.epochMicros();
  }

  /** The running time of its last append. */
  synchronized long lastMillis() {
    return lastMillis;
  }

  /** Null unless it is open, and nothing was appended since that running time. */
  synchronized Seen idleSince(long millis) {
    return phase == Phase.OPEN && lastMillis <= millis ? new Seen(id, lastRecord()) : null;
  }

  /** No other record of the log has its number. */
  private String lastRecord() {
    return Long.toHexString(lastLsn);
  }

  @Override
  public String version() throws IOException {
    synchronized (this) {
      if (phase != Phase.COMPLETE) {
        return phase == Phase.NEW ? null : lastRecord();
      }
    }
    return owner.tag(id);
  }

  /** Nothing of what is in the log thread's hands became durable. */
  synchronized void fallBack() {
    expected = sequence;
  }

  /** Takes in what is durable now. Returns by how many bytes its memory grew. */
  synchronized long apply(LogRecord record) {
    long before = memory();
    sequence++;
    expected = sequence;
    entries += record.entries();
    lastLsn = record.lsn();
    lastMillis = record.millis();
    firstLsn = Math.min(firstLsn, lastLsn);
    firstLsnSince = Math.min(firstLsnSince, lastLsn);
    if (record.count() > 0) {
      if (buffer == null) {
        buffer = new SessionBuffer();
      }
      buffer.add(record.children(), record.count());
    }
    if (!record.writer().isEmpty()) {
      if (writers.isEmpty()) {
        writers = new HashMap<>(2);
      }
      writers.put(record.writer(), record.number());
    }
    if (record.start() != null) {
      start = record.start();
      phase = Phase.OPEN;
    }
    if (record.end() != null) {
      end = record.end();
      phase = Phase.ENDED;
    }
    return memory() - before;
  }

  /**
   * Its deletion is durable: forgets everything. Returns the regions that nobody needs any more,
   * and by how many bytes its memory shrank.
   */
  synchronized Deleted delete() {
    long memory = memory();
    sequence++;
    expected = sequence;
    phase = Phase.NEW;
    entries = 0;
    writers = Map.of();
    buffer = null;
    spilling = List.of();
    firstLsn = NONE;
    deleted = true;
    return new Deleted(forgetRuns(), memory);
  }

  record Deleted(List<Region> regions, long bytes) {}

  /** Bytes of memory that its children take. */
  synchronized long memory() {
    long bytes = buffer == null ? 0 : buffer.allocated();
    for (SessionBuffer one : spilling) {
      bytes += one.allocated();
    }
    return bytes;
  }

  /**
   * Takes in what a run file has of it. Returns the regions that it repeats, of a spill that failed
   * when all but done.
   */
  synchronized List<Region> load(RunEntry entry, Region region) {
    phase = entry.end() == null ? Phase.OPEN : Phase.ENDED;
    sequence = entry.sequence();
    expected = sequence;
    entries = entry.entries();
    start = entry.start();
    end = entry.end();
    writers = entry.writers();
    lastLsn = entry.lsn();
    lastMillis = entry.millis();
    return runs.load(entry.fromLsn(), region);
  }

  /** Whether a log record's effects are in its runs. */
  synchronized boolean covers(long lsn) {
    return lsn <= covered();
  }

  /** The last log record whose effects are in its runs; 0 if it has none. */
  synchronized long covered() {
    return runs.covered();
  }

  /** Whether it has log records before that one that no run covers. */
  synchronized boolean needsLogBefore(long lsn) {
    return phase != Phase.COMPLETE && firstLsn < lsn;
  }

  /** The oldest log record that it needs; one that is published needs none itself. */
  synchronized long neededLsn() {
    return phase == Phase.COMPLETE ? NONE : firstLsn;
  }

  /** The number of the oldest log record that no run covers. */
  synchronized long firstLsn() {
    return firstLsn;
  }

  // --- Spilling. One thread does it, so a session is spilled once at a time.

  /** A spill under way. */
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
   * Freezes what is in memory, to be written as a run. Null if there is nothing that a run would be
   * for.
   */
  synchronized Spill beginSpill() {
    if (phase == Phase.COMPLETE || firstLsn == NONE) {
      return null;
    }
    if (buffer != null) {
      spilling = plus(spilling, buffer);
      buffer = null;
    }
    firstLsnSince = NONE;
    RunEntry state =
        new RunEntry(
            id,
            covered(),
            lastLsn,
            lastMillis,
            sequence,
            entries,
            start,
            end,
            Map.copyOf(writers),
            0,
            0,
            0,
            0);
    return new Spill(this, state, spilling, memory());
  }

  /**
   * The run is durable: what is in it is forgotten. False if the session is complete, or deleted:
   * then nobody needs the run.
   */
  synchronized boolean endSpill(Region region) {
    if (phase == Phase.COMPLETE || deleted) {
      return false;
    }
    spilling = List.of();
    firstLsn = firstLsnSince;
    runs.add(region);
    return true;
  }

  /** Its regions in the files. */
  synchronized List<Region> regionsIn(List<RunFile> files) {
    return runs.in(files);
  }

  /** Puts a region in the place of those it was merged from. False if nobody needs it. */
  synchronized boolean replace(List<Region> from, Region to) {
    return runs.replace(from, to);
  }

  // --- Callbacks: by the thread that runs them.

  /**
   * From now on callbacks wait; the first is that of the append that ended or deleted the session.
   * Those that wait already did so for the tree of a session that is deleted now.
   *
   * @param first null after a start, as no append has a callback then
   */
  void holdCallbacks(Append.Callback first) {
    if (held != null) {
      held.run(Append.Callback::noTree);
    }
    held = new HeldCallbacks(first);
  }

  boolean holdsCallbacks() {
    return held != null;
  }

  /** Has a callback wait. */
  void hold(Append.Callback callback, boolean accepted) {
    held.add(callback, accepted);
  }

  /** Runs the callbacks that wait behind that one, and it; unless a deletion has done so. */
  void releaseCallbacks(Append.Callback first, Consumer<Append.Callback> outcome) {
    if (held != null && held.isBehind(first)) {
      HeldCallbacks waited = held;
      held = null;
      waited.run(outcome);
    }
  }

  // --- Finishing. It may be deleted at any time meanwhile.

  /** False if it is deleted: then it needs no tree. */
  synchronized boolean beginPublishing() {
    publishing = !deleted;
    return publishing;
  }

  synchronized void endPublishing() {
    publishing = false;
    notifyAll();
  }

  /** Returns when no tree of it can come any more, once it is deleted. */
  synchronized void awaitPublished() throws InterruptedException {
    while (publishing) {
      wait();
    }
  }

  boolean isDeleted() {
    return deleted;
  }

  /** Whether its damage was not logged yet. */
  synchronized boolean isDamageNews() {
    boolean news = !damageTold;
    damageTold = true;
    return news;
  }

  /**
   * What is stored of it is damaged: if it is not deleted meanwhile, that is all there is to do.
   */
  synchronized void damaged() {
    phase = deleted ? phase : Phase.DAMAGED;
  }

  synchronized boolean hasRuns() {
    return !runs.isEmpty();
  }

  /** Whether its runs hold all the children that its state counts. Before the log is replayed. */
  synchronized boolean hasAllRuns() {
    return runs.areWhole(children());
  }

  /** How it ended; null while it has not. */
  synchronized End end() {
    return end;
  }

  @Override
  public Batch.Bound latest() throws IOException {
    Batch.Bound latest;
    List<Region> regions;
    synchronized (this) {
      latest = start.bound();
      for (SessionBuffer one : spilling) {
        latest = one.latest(latest);
      }
      latest = buffer == null ? latest : buffer.latest(latest);
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

  /** The line of a session that has ended. */
  synchronized JournalLine line() {
    return JournalLine.completed(end.epochMicros(), lastLsn, lastMillis, id);
  }

  /** Of a session that has ended: its last record is its end. */
  synchronized TreeFacts facts() {
    return new TreeFacts(lastLsn, entries, Map.copyOf(writers));
  }

  private synchronized SessionSnapshot snapshot() {
    return new SessionSnapshot(this, start.bound(), end, entries, runs.retain(), buffered());
  }

  /** How many children are stored. Guarded by this. */
  private long children() {
    return entries - 1 - (end == null ? 0 : 1);
  }

  /** What is in memory now. Guarded by this. */
  private SessionBuffer buffered() {
    return SessionBuffer.snapshot(buffer == null ? spilling : plus(spilling, buffer));
  }

  /** What is stored of an open session, or of one whose tree is being made; null of any other. */
  synchronized SessionSnapshot soFar() {
    boolean open = phase == Phase.OPEN || phase == Phase.ENDED;
    return open
        ? new SessionSnapshot(this, start.bound(), null, children() + 1, runs.retain(), buffered())
        : null;
  }

  @Override
  public synchronized Cursor since(long children) {
    SessionBuffer buffers = buffered();
    long before = children() - buffers.count();
    boolean open = phase == Phase.OPEN || phase == Phase.ENDED;
    boolean known = open && before <= children && children <= before + buffers.count();
    return known ? buffers.since(children - before) : null;
  }

  /** Writes the tree of a session that has ended: nothing is added to it any more. */
  void write(OutputStream out) throws IOException {
    SessionSnapshot all = snapshot();
    try {
      all.write(out);
    } finally {
      all.release();
    }
  }

  /** Its tree can be read, and was not forced. Returns by how many bytes its memory shrank. */
  synchronized long published() {
    if (deleted) {
      return 0;
    }
    long memory = memory();
    phase = Phase.COMPLETE;
    buffer = null;
    spilling = List.of();
    return memory;
  }

  /** Its tree is durable: returns the regions that nobody needs any more. */
  synchronized List<Region> forgetRuns() {
    return runs.forget();
  }

  private static List<SessionBuffer> plus(List<SessionBuffer> list, SessionBuffer one) {
    List<SessionBuffer> longer = new ArrayList<>(list.size() + 1);
    longer.addAll(list);
    longer.add(one);
    return longer;
  }
}
