package sessiontree.store.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.sort.ExternalSort;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.log.WriteAheadLog;

/**
 * Restores the sessions of a folder, from its run files and then from its log. Used by the thread
 * that opens the store. See the package's manual.
 */
final class Recovery implements WriteAheadLog.Replay {
  private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

  /** Memory for sorting the sessions of a folder that has no journal, besides temporary files. */
  private static final long SORT_BYTES = 1 << 20;

  private final OpenSessions sessions;
  private final TreeFiles trees;
  private final Runs runs;
  private final Journal journal;
  private final Checkpointer checkpointer;
  private final Finisher finisher;
  private final RunningTime running;
  private final Path temporary;
  private final long beganNanos;

  /**
   * Ids of sessions of which only a later part was found. Each was finished and has a durable tree,
   * or is deleted by a later tombstone.
   */
  private final Set<String> orphans = new HashSet<>();

  /** Orphans with a part in runs, by id. */
  private final Map<String, LocalSession> orphansInRuns = new HashMap<>();

  /** Sessions that have a tree; their runs are needed until the names of the trees are durable. */
  private final List<LocalSession> completeWithRuns = new ArrayList<>();

  private long records;
  private long finished;

  Recovery(
      OpenSessions sessions,
      TreeFiles trees,
      Runs runs,
      Journal journal,
      Checkpointer checkpointer,
      Finisher finisher,
      RunningTime running,
      Path temporary,
      long beganNanos) {

    this.sessions = sessions;
    this.trees = trees;
    this.runs = runs;
    this.journal = journal;
    this.checkpointer = checkpointer;
    this.finisher = finisher;
    this.running = running;
    this.temporary = temporary;
    this.beganNanos = beganNanos;
  }

  /** Replays the log over the sessions loaded from runs, and finishes those that have ended. */
  void replay(WriteAheadLog log) throws IOException {
    int fromRuns = sessions.size();
    long covered = 0;
    for (LocalSession session : List.copyOf(sessions.all())) {
      covered = Math.max(covered, session.covered());
      running.atLeast(session.lastMillis());
      if (!session.hasAllRuns()) {
        addOrphan(session);
      }
    }
    log.recover(this);
    if (covered >= log.nextLsn()) { // new records would get LSNs that runs cover, and be lost
      throw new IOException(
          "the log ends at record "
              + (log.nextLsn() - 1)
              + ", but run files hold data of record "
              + covered
              + ": the end of the log is missing");
    }
    checkOrphans();
    List<LocalSession> ended = new ArrayList<>();
    for (LocalSession session : List.copyOf(sessions.all())) {
      if (session.phase() == Phase.ENDED) {
        if (!dropIfComplete(session)) {
          session.callbacks.begin(null);
          ended.add(session);
        }
      } else if (session.hasRuns() && trees.exists(session.id())) { // it was finished before
        sessions.remove(session);
        completeWithRuns.add(session);
      }
    }
    trees.syncFolders(); // before anything is deleted that a tree replaces
    beginJournal(log.nextLsn() - 1);
    forgetComplete();
    finisher.finishAll(ended);
    finished += ended.size();
    journal.recovered();
    if (records > 0 || fromRuns > 0) {
      LOG.info(
          "recovered in {} ms: {} sessions from runs, {} log records replayed, {} sessions finished, {} open",
          (System.nanoTime() - beganNanos) / 1_000_000,
          fromRuns,
          records,
          finished,
          sessions.size());
    }
  }

  /**
   * Releases the runs of complete sessions and of orphans, unless the journal cannot be forced: on
   * a full disk, a later start does it.
   */
  private void forgetComplete() {
    try {
      journal.force();
    } catch (IOException e) {
      LOG.warn("the journal cannot be written: {}", e.toString());
      return;
    }
    completeWithRuns.forEach(this::forget);
    orphansInRuns.values().forEach(this::forget);
  }

  @Override
  public boolean record(long lsn, ByteBuffer bytes) throws IOException {
    LogRecord record = LogRecord.read(lsn, bytes);
    if (record == null) {
      return false;
    }
    records++;
    running.atLeast(record.millis());
    switch (record.type()) {
      case PROBE -> {}
      case DELETION -> delete(record);
      case APPEND -> append(record);
    }
    return true;
  }

  private void append(LogRecord record) throws IOException {
    addLine(record);
    LocalSession session = sessions.get(record.id());
    if (session != null && session.covers(record.lsn())) {
      return;
    }
    long expected = session == null ? 0 : session.sequence();
    if (record.sequence() != expected) { // finished before; its first records may be gone
      if (session != null) {
        addOrphan(session);
      }
      orphans.add(record.id());
      return;
    }
    session = session == null ? sessions.getOrAdd(record.id()) : session;
    checkpointer.addMemory(session.apply(record));
    if (record.start() != null) {
      sessions.addInOrder(session);
    }
    if (record.end() != null) {
      dropIfComplete(session);
    }
    checkpointer.makeRoomForReplay();
  }

  /**
   * Adds the line of the session's start again, if a crash has lost it. It keeps its place, as
   * every line before it is in the journal or is added again first.
   */
  private void addLine(LogRecord record) throws IOException {
    running.epochMicrosAtLeast(record.end() == null ? 0 : record.end().epochMicros());
    if (record.start() != null && record.start().isTimed()) {
      running.epochMicrosAtLeast(record.start().epochMicros());
      if (!journal.isNew()) {
        journal.add(record.begun());
      }
    }
  }

  /**
   * Returns whether a session that has ended is complete, and drops its state if so. It is complete
   * if its tree exists, as a tree is forced before it is renamed. If the tree is that of a later
   * session of the id, a tombstone for this one follows in the log, and removes the tree.
   */
  private boolean dropIfComplete(LocalSession session) throws IOException {
    if (journal.isNew()) { // an earlier version may have renamed trees before they were durable
      trees.delete(session.id());
      return false;
    }
    if (!trees.isPublished(session.id(), session.facts())) {
      return false;
    }
    journal.add(session.line());
    checkpointer.addMemory(-session.published());
    sessions.remove(session);
    if (session.hasRuns()) {
      completeWithRuns.add(session);
    }
    return true;
  }

  /**
   * Applies a tombstone. All later records of the id are those of a new session, whose tree can be
   * made again from them and from runs: so any tree that exists is deleted.
   */
  private void delete(LogRecord record) throws IOException {
    LocalSession session = sessions.get(record.id());
    if (session != null && !session.covers(record.lsn())) {
      checkpointer.addMemory(-session.memory());
      finisher.giveUp(session);
      forget(session);
    }
    LocalSession inRuns = orphansInRuns.remove(record.id());
    if (inRuns != null) {
      forget(inRuns);
    }
    orphans.remove(record.id());
    trees.delete(record.id());
    journal.delete(record.id(), record.lsn());
    checkpointer.addRecoveredTombstone(record.lsn());
  }

  /**
   * Begins the journal of a folder that has none. The trees show which sessions are complete; their
   * contents and file times show when these began. Open sessions without a time count as begun now.
   * Nothing shows for how long sessions have been complete, as a clock may have been wrong, so that
   * is counted from now on.
   *
   * @param lsn LSN of the log's last record: sessions deleted up to it no longer exist
   */
  private void beginJournal(long lsn) throws IOException {
    if (!journal.isNew()) {
      return;
    }
    long now = sessions.untimedBeganMicros();
    try (ExternalSort byBegin = new ExternalSort(temporary, SORT_BYTES)) {
      for (int folder = 0; folder < TreePath.FOLDERS; folder++) {
        for (String path : trees.list(folder)) {
          String id = TreePath.id(path);
          add(byBegin, trees.reader().began(id, now), id);
        }
      }
      long complete = byBegin.count();
      for (LocalSession session : sessions.all()) {
        add(byBegin, sessions.begunMicros(session), session.id());
      }
      Cursor sorted = byBegin.sorted();
      journal.begin(now, to -> writeLines(sorted, now, lsn, to));
      if (complete > 0) {
        LOG.info(
            "the journal was created with {} sessions completed by an earlier version; --delete-after counts from now for them",
            complete);
      }
    }
  }

  private static void add(ExternalSort byBegin, long micros, String id) throws IOException {
    byte[] text = id.getBytes(StandardCharsets.US_ASCII);
    byte[] child = new byte[Children.HEADER_BYTES + text.length];
    Children.putHeader(child, 0, micros, text.length);
    System.arraycopy(text, 0, child, Children.HEADER_BYTES, text.length);
    byBegin.add(child, 1);
  }

  private void writeLines(Cursor sorted, long now, long lsn, Journal.Output to) throws IOException {
    long millis = running.millis();
    long begun = 0;
    while (sorted.next()) {
      begun = Math.max(begun + 1, sorted.key()); // begin times differ
      String id =
          new String(sorted.array(), sorted.offset(), sorted.length(), StandardCharsets.US_ASCII);
      to.line(JournalLine.begun(begun, lsn, millis, id));
      long completed = Math.min(trees.reader().completed(id), now);
      if (completed >= 0) {
        to.line(JournalLine.completed(completed, lsn, millis, id));
      }
    }
    running.epochMicrosAtLeast(begun);
  }

  private void addOrphan(LocalSession session) {
    sessions.remove(session);
    orphans.add(session.id());
    orphansInRuns.put(session.id(), session);
  }

  private void forget(LocalSession session) {
    sessions.remove(session);
    session.forgetRuns().forEach(runs::retire);
  }

  private void checkOrphans() throws IOException {
    for (String id : orphans) {
      if (!trees.exists(id)) {
        throw new IOException(
            "session "
                + id
                + (orphansInRuns.containsKey(id)
                    ? ": a run file is missing"
                    : ": its first log records are missing")
                + ", and it has no tree");
      }
    }
  }
}
