package sessiontree.store.local;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.Contents;
import sessiontree.store.Expirable;
import sessiontree.store.Listable;
import sessiontree.store.Listing;
import sessiontree.store.PartialTree;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.WriteAheadLog;

/**
 * A store that keeps sessions in a folder. All appends go to one write-ahead log, group by group; a
 * session that has ended is sorted and published as a file.
 *
 * <p>The package's manual describes the files, and what a crash can leave.
 */
public final class LocalStore implements SessionStore, Listable, Expirable {
  private static final Logger LOG = LoggerFactory.getLogger(LocalStore.class);
  private static final Duration CLOCK_READ = Duration.ofSeconds(1);
  private static final Duration CLOCK_WRITTEN = Duration.ofSeconds(10);

  private final Closeable lock;
  private final LocalStoreOptions options;
  private final RunningTime running;
  private final TreeFiles trees;
  private final Runs runs;
  private final WriteAheadLog log;
  private final Journal journal;
  private final Checkpointer checkpointer;
  private final Finisher finisher;
  private final GroupCommit commit;

  private final LocalSession.Owner owner =
      new LocalSession.Owner() {
        @Override
        public void append(LocalSession session, Append append) {
          commit.queue(session, append);
        }

        @Override
        public String tag(String id) throws IOException {
          return trees.reader().tag(id);
        }
      };

  private final OpenSessions sessions = new OpenSessions(owner);

  /**
   * Opens the store in a folder, or creates one; replays its log, and finishes the sessions that
   * have ended.
   *
   * @throws IOException if the folder cannot be used, is in use by another process, or is damaged;
   *     the message says so in one line
   */
  public static LocalStore open(Path folder, LocalStoreOptions options, Metrics metrics)
      throws IOException {
    return open(Disk.real(), folder, options, metrics);
  }

  static LocalStore open(Disk disk, Path folder, LocalStoreOptions options, Metrics metrics)
      throws IOException {
    long began = System.nanoTime();
    disk.createDirectories(folder);
    Closeable lock = disk.lock(folder.resolve("lock"));
    try {
      LocalStore store = new LocalStore(disk, folder, options, lock, metrics);
      store.recover(folder, began, metrics);
      return store;
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  private LocalStore(
      Disk disk, Path folder, LocalStoreOptions options, Closeable lock, Metrics metrics)
      throws IOException {
    this.lock = lock;
    this.options = options;
    Path temporary = folder.resolve("tmp");
    trees = TreeFiles.open(disk, folder.resolve("sessions"), temporary, options.cachedBytes());
    running = RunningTime.resume(disk, folder.resolve("clock"), temporary, options.nanoTime());
    journal = Journal.open(disk, folder.resolve("journal"), temporary, options.journalBytes());
    running.atLeast(journal.lastMillis());
    running.epochMicrosAtLeast(journal.lastMicros());
    sessions.setUntimedBegan(journal.isNew() ? running.epochMicros() : journal.beganMicros());
    log = new WriteAheadLog(disk, folder.resolve("log"), options.segmentBytes());
    runs = Runs.open(disk, folder.resolve("runs"), temporary, options.fanIn(), this::load);
    checkpointer =
        new Checkpointer(
            runs, trees, journal, log, sessions, options, this::mergeRuns, this::seal, metrics);
    finisher = new Finisher(sessions, trees, runs, checkpointer, journal, options.retry(), metrics);
    commit =
        new GroupCommit(
            log,
            checkpointer,
            running,
            options.memoryBytes() / 8,
            options.retry(),
            finisher.callbacks(),
            new Durable(),
            metrics);
  }

  private void recover(Path folder, long beganNanos, Metrics metrics) throws IOException {
    new Recovery(
            sessions,
            trees,
            runs,
            journal,
            checkpointer,
            finisher,
            running,
            folder.resolve("tmp"),
            beganNanos)
        .replay(log);
    double seconds = (System.nanoTime() - beganNanos) / 1e9;
    metrics.gauge(
        "recovery_seconds", "Seconds that the start took to recover the store.", () -> seconds);
    metrics.gauge("log_bytes", "Bytes of the log's sealed segments.", log.sealed()::bytes);
    metrics.gauge(
        "log_limit_bytes", "Bytes that the log's sealed segments may have.", options::logBytes);
    metrics.gauge(
        "disk_free_bytes", "Bytes that are free on the store's disk.", () -> freeBytes(folder));
    metrics.gauge("log_segments", "Segments of the log.", () -> log.sealed().count() + 1);
    metrics.gauge("buffer_bytes", "Bytes of events in memory.", checkpointer::memory);
    metrics.gauge(
        "buffer_limit_bytes", "Bytes of events that may be in memory.", options::memoryBytes);
    metrics.gauge("run_files", "Files of sorted events of open sessions.", runs::count);
    checkpointer.start();
    commit.start();
    finisher.every(CLOCK_READ, running::millis);
    finisher.every(CLOCK_WRITTEN, this::writeClock);
    finisher.every(options.retry(), commit::checkInPlace);
  }

  private static double freeBytes(Path folder) {
    try {
      return Files.getFileStore(folder).getUsableSpace();
    } catch (IOException e) { // the folder is gone, or the disk fails
      return Double.NaN;
    }
  }

  private List<Region> load(RunEntry entry, Region region) {
    LocalSession session = sessions.getOrAdd(entry.id());
    List<Region> needless = session.load(entry, region);
    running.epochMicrosAtLeast(session.begunMicros());
    sessions.addInOrder(session);
    return needless;
  }

  private void mergeRuns() {
    finisher.mergeRuns();
  }

  private void seal() {
    commit.seal();
  }

  private void writeClock() {
    try {
      running.save();
    } catch (IOException e) { // the log has it too, less exactly
      LOG.debug("the running time cannot be written: {}", e.toString());
    }
  }

  /** Changes sessions, runs and journal once a record is durable. */
  private final class Durable implements GroupCommit.Effects {
    @Override
    public long apply(LocalSession session, LogRecord record) {
      if (record.type() == LogRecord.Type.DELETION) {
        LocalSession.Deleted deleted = session.delete();
        sessions.remove(session);
        journal.delete(session.id(), record.lsn());
        checkpointer.treeRemovalBegins(record.lsn());
        deleted.regions().forEach(runs::retire);
        return -deleted.bytes();
      }
      if (record.start() == null) {
        return session.apply(record);
      }
      sessions.add(session);
      long grown = session.apply(record);
      journal.addNew(record.begun());
      sessions.addInOrder(session);
      return grown;
    }

    @Override
    public void finish(LocalSession session, LogRecord record, Append.Callback callback) {
      if (record.type() == LogRecord.Type.DELETION) {
        finisher.delete(session, record.lsn(), callback);
      } else {
        finisher.finishLater(session, callback);
      }
    }
  }

  /**
   * Returns all that is stored of an open session; empty for any other. The session must not change
   * meanwhile.
   *
   * @throws IOException if it cannot be read
   */
  public Optional<Contents> contents(String id) throws IOException {
    LocalSession session = sessions.get(id);
    if (session == null || session.phase() != SessionState.Phase.OPEN) {
      return Optional.empty();
    }
    SessionSnapshot all = session.partialSnapshot();
    try {
      return Optional.of(
          new Contents(
              all.start(),
              session.sequence(),
              all.entries(),
              session.lastNumbers(),
              all.sorted(),
              all::release));
    } catch (IOException | RuntimeException e) {
      all.release();
      throw e;
    }
  }

  /** Returns the last number of each named writer of a session. */
  public Map<String, Long> lastNumbers(String id) throws IOException {
    return session(id).lastNumbers();
  }

  /** Returns the ids of the sessions that were found damaged so far. */
  public Set<String> damaged() {
    Set<String> damaged = new TreeSet<>(trees.reader().damaged());
    sessions.all().stream()
        .filter(session -> session.phase() == SessionState.Phase.DAMAGED)
        .forEach(session -> damaged.add(session.id()));
    return damaged;
  }

  @Override
  public StoredSession open(String id) throws IOException {
    return session(id);
  }

  private LocalSession session(String id) throws IOException {
    LocalSession session = sessions.get(id);
    if (session != null) {
      return session;
    }
    try {
      return new LocalSession(owner, id, trees.reader().facts(id));
    } catch (DamageException e) {
      LocalSession damaged = new LocalSession(owner, id, null);
      damaged.damaged();
      return damaged;
    }
  }

  @Override
  public SessionState state(String id) throws IOException {
    return open(id).state();
  }

  @Override
  public Optional<Tree> tree(String id) throws IOException {
    LocalSession session = sessions.get(id);
    if (session != null && session.phase() == SessionState.Phase.DAMAGED) {
      throw new IOException("session " + id + " is damaged, and has no tree");
    }
    return trees.reader().tree(id);
  }

  @Override
  public Optional<PartialTree> partial(String id) throws IOException {
    LocalSession session = sessions.get(id);
    SessionSnapshot partial = session == null ? null : session.partialSnapshot();
    if (partial == null) {
      return Optional.empty();
    }
    try {
      Tree tree = trees.writeUnnamed(partial::write, partial.isSmall());
      return Optional.of(new PartialTree(tree, partial.entries(), partial.children()));
    } catch (IOException e) {
      if (session.isDeleted()) {
        return Optional.empty();
      }
      throw e;
    } finally {
      partial.release();
    }
  }

  @Override
  public Listing list(Listing.Query query) throws IOException {
    return new Pages(sessions, journal, trees.reader()).list(query);
  }

  @Override
  public List<Seen> idle(Duration time, int limit) {
    long since = running.millis() - time.toMillis();
    return sessions.all().stream()
        .map(session -> session.idleSince(since))
        .filter(Objects::nonNull)
        .limit(limit)
        .toList();
  }

  @Override
  public List<Seen> completeFor(Duration time, int limit) throws IOException {
    return journal.endedBefore(running.millis() - time.toMillis(), limit, this::seen);
  }

  /** Returns the session of a line, or null if it is gone. A damaged one can be deleted too. */
  private Seen seen(JournalLine line) {
    try {
      String tag = journal.isDeleted(line) ? null : trees.reader().tag(line.id());
      return tag == null || journal.isDeleted(line) ? null : new Seen(line.id(), tag);
    } catch (IOException e) { // the others can be listed
      LOG.warn("session={} its tree cannot be read: {}", line.id(), e.toString());
      return new Seen(line.id(), "");
    }
  }

  @Override
  public int openSessions() {
    return sessions.size();
  }

  @Override
  public boolean healthy() {
    return !commit.isFailing() && finisher.isHealthy() && !checkpointer.isFailing();
  }

  @Override
  public void close() throws IOException {
    try {
      commit.close();
      checkpointer.close();
      finisher.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    writeClock();
    try {
      journal.force();
    } catch (IOException e) { // the next start adds the lines again
      LOG.debug("the journal cannot be written: {}", e.toString());
    }
    runs.close();
    log.close();
    lock.close();
  }
}
