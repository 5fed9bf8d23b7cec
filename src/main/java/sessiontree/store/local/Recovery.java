package sessiontree.store.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.log.WriteAheadLog;

/**
 * Brings the sessions of a folder to where they were: from its run files, then from its log. By the
 * thread that opens the store. See the package's manual.
 */
final class Recovery implements WriteAheadLog.Replay {
  private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

  private final LocalStore store;
  private final OpenSessions sessions;
  private final TreeFiles trees;
  private final Runs runs;
  private final Journal journal;
  private final Checkpointer checkpointer;
  private final Finisher finisher;
  private final RunningTime running;
  private final EarlierSessions earlier;
  private final long beganNanos;

  /**
   * Sessions of which only a later part was found: they were finished, and their trees are durable,
   * or were deleted later.
   */
  private final Set<String> orphans = new HashSet<>();

  /** The orphans of which a part lies in runs. */
  private final Map<String, LocalSession> orphansInRuns = new HashMap<>();

  /** Sessions whose trees are there; their runs are needed until the trees' names are durable. */
  private final List<LocalSession> complete = new ArrayList<>();

  private long records;
  private long finished;

  Recovery(
      LocalStore store,
      OpenSessions sessions,
      TreeFiles trees,
      Runs runs,
      Journal journal,
      Checkpointer checkpointer,
      Finisher finisher,
      RunningTime running,
      EarlierSessions earlier,
      long beganNanos) {
    this.store = store;
    this.sessions = sessions;
    this.trees = trees;
    this.runs = runs;
    this.journal = journal;
    this.checkpointer = checkpointer;
    this.finisher = finisher;
    this.running = running;
    this.earlier = earlier;
    this.beganNanos = beganNanos;
  }

  /** The sessions are as the runs have them; replays the log, and finishes what has ended. */
  void replay(WriteAheadLog log) throws IOException {
    int fromRuns = sessions.size();
    long covered = 0;
    for (LocalSession session : List.copyOf(sessions.all())) {
      covered = Math.max(covered, session.covered());
      running.atLeast(session.lastMillis());
      if (!session.hasAllRuns()) {
        setAside(session);
      }
    }
    log.recover(this);
    if (covered >= log.nextLsn()) { // new records would have numbers that runs cover, and be lost
      throw new IOException(
          "the log ends with record "
              + (log.nextLsn() - 1)
              + ", and run files hold what came with record "
              + covered
              + ": the end of the log is missing");
    }
    checkOrphans();
    List<LocalSession> ended = new ArrayList<>();
    for (LocalSession session : List.copyOf(sessions.all())) {
      if (session.phase() == Phase.ENDED) {
        if (!passOver(session)) {
          session.holdCallbacks(null);
          ended.add(session);
        }
      } else if (session.hasRuns() && trees.exists(session.id())) { // it was finished
        sessions.remove(session);
        complete.add(session);
      }
    }
    trees.syncFolders(); // before anything goes that they stand for
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

  /** Not unless the journal is durable, which on a full disk has time until a later start. */
  private void forgetComplete() {
    try {
      journal.force();
    } catch (IOException e) {
      LOG.warn("the journal cannot be written: {}", e.toString());
      return;
    }
    complete.forEach(this::forget);
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
    if (record.sequence() != expected) { // then it was finished, and the log needs no more of it
      if (session != null) {
        setAside(session);
      }
      orphans.add(record.id());
      return;
    }
    session = session == null ? store.add(record.id()) : session;
    checkpointer.grew(session.apply(record));
    if (record.start() != null) {
      sessions.begun(session);
    }
    if (record.end() != null) {
      passOver(session);
    }
    checkpointer.makeRoomForReplay();
  }

  /**
   * A crash may have taken it. Its place is the same: what came before it is there, or is added.
   */
  private void addLine(LogRecord record) throws IOException {
    running.wasMicros(record.end() == null ? 0 : record.end().epochMicros());
    if (record.start() != null && record.start().isTimed()) {
      running.wasMicros(record.start().epochMicros());
      if (!journal.isNew()) {
        journal.add(record.begun());
      }
    }
  }

  /**
   * A session that has ended is complete if its tree is there, as that was forced before it was
   * named. Returns whether it is. If the tree is that of a later session of the id, as of this one
   * it was deleted, a tombstone follows in the log, and removes it.
   */
  private boolean passOver(LocalSession session) throws IOException {
    if (journal.isNew()) { // an earlier version named trees that were not durable
      trees.delete(session.id());
      return false;
    }
    if (!trees.isPublished(session.id(), session.facts())) {
      return false;
    }
    journal.add(session.line());
    checkpointer.grew(-session.published());
    sessions.remove(session);
    if (session.hasRuns()) {
      complete.add(session);
    }
    return true;
  }

  /**
   * All that is behind it in the log is the id's new session, if there is one, and can be made
   * again from that and from runs; so whatever tree is there may go.
   */
  private void delete(LogRecord record) throws IOException {
    LocalSession session = sessions.get(record.id());
    if (session != null && !session.covers(record.lsn())) {
      checkpointer.grew(-session.memory());
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
    checkpointer.deletedBefore(record.lsn());
  }

  /**
   * Of a folder that has no journal, the trees show which sessions are complete, and their own
   * facts and times when they began; of those that are open, that is now. For how long they are
   * complete nothing shows, as a clock may have been wrong: that counts from now on.
   *
   * @param lsn of the log's last record: whatever was deleted up to it is not there any more
   */
  private void beginJournal(long lsn) throws IOException {
    if (!journal.isNew()) {
      return;
    }
    long now = sessions.earlierMicros();
    long millis = running.millis();
    long count = 0;
    for (int folder = 0; folder < TreePath.FOLDERS; folder++) {
      for (String path : trees.list(folder)) {
        String id = TreePath.id(path);
        earlier.add(JournalLine.begun(trees.reader().began(id, now), lsn, millis, id));
        count++;
      }
    }
    for (LocalSession session : sessions.all()) {
      earlier.add(JournalLine.begun(sessions.begunMicros(session), lsn, millis, session.id()));
    }
    long[] last = {0};
    journal.begin(
        now,
        to ->
            earlier.writeTo(
                line -> {
                  last[0] =
                      Math.max(last[0] + 1, JournalLine.micros(line.time())); // as none is twice
                  to.line(JournalLine.begun(last[0], lsn, millis, line.id()));
                  long completed = Math.min(trees.reader().completed(line.id()), now);
                  if (completed >= 0) {
                    to.line(JournalLine.completed(completed, lsn, millis, line.id()));
                  }
                }));
    running.wasMicros(last[0]);
    if (count > 0) {
      LOG.info(
          "the journal begins with {} sessions that an earlier version completed; --delete-after counts from now on for them",
          count);
    }
  }

  private void setAside(LocalSession session) {
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
