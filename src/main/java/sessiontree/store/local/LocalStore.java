package sessiontree.store.local;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * Keeps sessions in a folder. One write-ahead log takes what is appended to all of them: a thread
 * takes everything that is queued, writes it, forces it once, and only then are sessions changed
 * and answers given; what is queued meanwhile is the next group. A session that has ended is sorted
 * and published as a file.
 *
 * <p>The package's manual tells what lies where, and what a crash can leave.
 */
public final class LocalStore implements SessionStore {
  private static final Logger LOG = LoggerFactory.getLogger(LocalStore.class);
  private static final int FINISHERS = 2;
  private static final int FATAL = 70;

  /** What is not finished by then when the store closes, the next start finishes. */
  private static final long CLOSE_SECONDS = 3;

  private final Closeable lock;
  private final TreeFiles trees;
  private final Options options;

  // Written once, by recovery.
  private Runs runs;
  private WriteAheadLog log;
  private Checkpointer checkpointer;

  /** The sessions that are stored and not complete. */
  private final ConcurrentHashMap<String, LocalSession> sessions = new ConcurrentHashMap<>();

  private final Object queueLock = new Object();

  /** Guarded by queueLock. */
  private List<Queued> queue = new ArrayList<>();

  /** Guarded by queueLock. */
  private boolean closing;

  private final Thread logThread = daemons("log").newThread(this::takeGroups);
  private final ExecutorService answers = threads(1, "answers");
  private final ExecutorService finishers = threads(FINISHERS, "finish");
  private final ExecutorService heavy = threads(1, "merge");
  private final ScheduledExecutorService retries =
      new ScheduledThreadPoolExecutor(1, daemons("retry"), new ThreadPoolExecutor.DiscardPolicy());
  private final AtomicBoolean compacting = new AtomicBoolean();

  /** Whether the last group could not be written. Set by the log thread. */
  private volatile boolean failing;

  /** Sessions that have ended, and could not be published yet. */
  private final Set<String> unfinished = ConcurrentHashMap.newKeySet();

  /** An append in the queue, and then in a group. */
  private static final class Queued {
    private final LocalSession session;
    private final Append append;

    /** Null if nothing is to be stored for it. */
    private LogRecord record;

    private boolean accepted;
    private boolean answered;

    Queued(LocalSession session, Append append) {
      this.session = session;
      this.append = append;
    }

    /** Then it is answered when the tree can be read. */
    boolean ends() {
      return accepted && record != null && record.end() != null;
    }
  }

  private LocalStore(Closeable lock, TreeFiles trees, Options options) {
    this.lock = lock;
    this.trees = trees;
    this.options = options;
  }

  /**
   * How the store uses memory and disk.
   *
   * @param memoryBytes of children that are held in memory, of all sessions; bringing the largest
   *     of them into order takes up to half of it again
   * @param logBytes of the write-ahead log: at most so much is replayed after a crash
   * @param fanIn so many run files of a level are merged into one
   * @param retry how long after a failure it is tried whether the disk takes something
   */
  public record Options(long memoryBytes, long logBytes, int fanIn, Duration retry) {
    private static final long MAX_SEGMENT_BYTES = 16 << 20;

    /** With merges of 32 runs, and a try every second. */
    public Options(long memoryBytes, long logBytes) {
      this(memoryBytes, logBytes, 32, Duration.ofSeconds(1));
    }

    /** A segment of the log takes no more records when it has reached this. */
    long segmentBytes() {
      return Math.min(MAX_SEGMENT_BYTES, logBytes / 16);
    }
  }

  /**
   * Opens the store of a folder, or makes one; replays its log, and finishes the sessions that have
   * ended.
   *
   * @throws IOException if the folder cannot be used, another process uses it, or it is damaged;
   *     its message says so in one line
   */
  public static LocalStore open(Path folder, Options options) throws IOException {
    return open(Disk.real(), folder, options);
  }

  static LocalStore open(Disk disk, Path folder, Options options) throws IOException {
    disk.createDirectories(folder);
    Closeable lock = disk.lock(folder.resolve("lock"));
    try {
      TreeFiles trees = TreeFiles.open(disk, folder.resolve("sessions"), folder.resolve("tmp"));
      LocalStore store = new LocalStore(lock, trees, options);
      store.recover(disk, folder);
      store.checkpointer.start();
      store.logThread.start();
      return store;
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  // --- Recovery, by the thread that opens.

  private void recover(Disk disk, Path folder) throws IOException {
    long began = System.nanoTime();
    runs =
        Runs.open(
            disk,
            folder.resolve("runs"),
            folder.resolve("tmp"),
            options.fanIn(),
            (entry, region) -> session(entry.id()).load(entry, region));
    int fromRuns = sessions.size();
    for (LocalSession session : List.copyOf(sessions.values())) {
      if (!session.hasAllRuns()) {
        forgetFinished(session);
      }
    }
    log = WriteAheadLog.of(disk, folder.resolve("log"), options.segmentBytes());
    checkpointer = new Checkpointer(runs, trees, log, sessions, options, this::compact);
    Replay replay = new Replay();
    log.recover(replay);
    replay.checkRemains();
    for (LocalSession session : List.copyOf(sessions.values())) {
      if (session.state().phase() == Phase.ENDED) {
        session.holdAnswers();
        finish(session, null);
        replay.finished++;
      } else if (session.hasRuns() && trees.exists(session.id())) {
        forgetFinished(session);
      }
    }
    if (replay.records > 0 || fromRuns > 0) {
      LOG.info(
          "recovered in {} ms: {} sessions from runs, {} log records replayed, {} sessions finished, {} open",
          (System.nanoTime() - began) / 1_000_000,
          fromRuns,
          replay.records,
          replay.finished,
          sessions.size());
    }
  }

  private LocalSession session(String id) {
    return sessions.computeIfAbsent(id, absent -> new LocalSession(this, id, SessionState.NEW));
  }

  /**
   * Forgets what runs tell of a session that has its tree: it was finished, and the log needs no
   * more of it.
   */
  private void forgetFinished(LocalSession session) throws IOException {
    if (!trees.exists(session.id())) {
      throw new IOException(
          "session " + session.id() + ": a run file is missing, and it has no tree");
    }
    sessions.remove(session.id());
    session.forgetRuns().forEach(runs::retire);
  }

  /** Brings the sessions to where they were. */
  private final class Replay implements WriteAheadLog.Replay {
    /**
     * Sessions of which the log has only later records: they were finished, and their trees are
     * durable.
     */
    private final Set<String> remains = new HashSet<>();

    private long records;
    private long finished;

    @Override
    public void record(LogRecord record) throws IOException {
      records++;
      LocalSession session = sessions.get(record.id());
      if (record.isProbe() || (session != null && session.covers(record.lsn()))) {
        return;
      }
      long expected = session == null ? 0 : session.state().sequence();
      if (record.sequence() != expected) { // then it was finished, and the log needs no more of it
        if (session != null) {
          forgetFinished(session);
        }
        remains.add(record.id());
        return;
      }
      session = session == null ? session(record.id()) : session;
      checkpointer.grew(session.apply(record));
      if (record.end() != null) { // now, so that its children need no memory
        List<TreeFiles.Unforced> files = publish(session);
        if (!files.isEmpty()) {
          finished++;
          forget(session, files);
        }
      }
      checkpointer.makeRoomForReplay();
    }

    void checkRemains() throws IOException {
      for (String id : remains) {
        if (!trees.exists(id)) {
          throw new IOException(
              "session " + id + ": its first log records are missing, and it has no tree");
        }
      }
    }
  }

  // --- Reading.

  @Override
  public StoredSession open(String id) throws IOException {
    LocalSession session = sessions.get(id);
    return session != null ? session : new LocalSession(this, id, trees.state(id));
  }

  @Override
  public SessionState state(String id) throws IOException {
    LocalSession session = sessions.get(id);
    return session != null ? session.state() : trees.state(id);
  }

  @Override
  public Optional<Tree> tree(String id) throws IOException {
    return trees.tree(id);
  }

  @Override
  public boolean healthy() {
    return !failing && unfinished.isEmpty() && !checkpointer.isFailing();
  }

  // --- Appending.

  void queue(LocalSession session, Append append) {
    synchronized (queueLock) {
      if (queue.isEmpty()) {
        queueLock.notifyAll();
      }
      queue.add(new Queued(session, append));
    }
  }

  /** The log thread. */
  private void takeGroups() {
    while (true) {
      List<Queued> group;
      synchronized (queueLock) {
        try {
          while (queue.isEmpty() && !closing && !failing) {
            queueLock.wait();
          }
          if (queue.isEmpty() && !closing) {
            queueLock.wait(
                options.retry().toMillis()); // and then try whether the log can be written
          }
        } catch (InterruptedException e) {
          LOG.warn("the log thread was interrupted; it goes on");
        }
        if (queue.isEmpty() && closing) {
          return;
        }
        group = queue;
        queue = new ArrayList<>();
      }
      take(group);
    }
  }

  private void take(List<Queued> group) {
    if (!checkpointer.awaitRoom()) {
      refuse(group);
    } else {
      try {
        store(group);
      } catch (IOException | RuntimeException e) {
        if (!fail(group, e)) {
          return;
        }
      }
    }
    long grown = 0;
    for (Queued queued : group) {
      if (queued.accepted && queued.record != null) {
        if (queued.record.start() != null) {
          sessions.put(queued.session.id(), queued.session);
        }
        grown += queued.session.apply(queued.record);
      }
    }
    checkpointer.grew(grown);
    answers.execute(() -> answer(group));
    for (Queued queued : group) {
      if (queued.ends()) {
        finisher(queued.session).execute(() -> finish(queued.session, queued.append));
      }
    }
  }

  /** Makes a group durable: those of its appends that expect what is there. */
  private void store(List<Queued> group) throws IOException {
    boolean written = false;
    for (Queued queued : group) {
      Append append = queued.append;
      queued.accepted = append.expected() == queued.session.expected;
      if (queued.accepted && append.batch() != null) {
        queued.record = record(queued.session.id(), append);
        queued.session.expected++;
        log.add(queued.record);
        written = true;
      }
    }
    if (failing && !written) {
      log.add(LogRecord.probe(log.nextLsn()));
      written = true;
    }
    if (written) {
      log.commit();
      if (failing) {
        LOG.info("the log can be written again");
      }
      failing = false;
    }
  }

  private LogRecord record(String id, Append append) {
    return new LogRecord(
        log.nextLsn(),
        id,
        append.expected(),
        append.writer() == null ? "" : append.writer(),
        append.number(),
        append.keepsStart() ? append.batch().start() : null,
        append.batch().end(),
        append.batch().count(),
        append.batch().children());
  }

  /** Returns whether the group can be answered. */
  private boolean fail(List<Queued> group, Exception cause) {
    if (!failing) {
      LOG.error(
          "the log cannot be written; nothing is taken until it can be: {}", cause.toString());
    }
    failing = true;
    log.rollback();
    refuse(group);
    return cutBack();
  }

  /** Of a group that cannot be stored, only what needs no log is accepted. */
  private static void refuse(List<Queued> group) {
    for (Queued queued : group) {
      queued.session.fallBack();
    }
    for (Queued queued : group) { // what is to be stored nowhere needs no log
      queued.accepted =
          queued.append.batch() == null && queued.append.expected() == queued.session.expected;
      queued.record = null;
    }
  }

  /**
   * Cuts off what a group that failed may have left in the log; before its senders are told, or a
   * crash could bring back what was refused, and they have sent it again. So on a disk that does
   * not even take that, they wait. False if the store is closed meanwhile.
   */
  private boolean cutBack() {
    while (true) {
      try {
        log.cutBack();
        return true;
      } catch (IOException e) {
        LOG.debug("the log's tail cannot be cut back", e);
      }
      synchronized (queueLock) {
        if (closing) {
          return false;
        }
        try {
          queueLock.wait(options.retry().toMillis());
        } catch (InterruptedException e) {
          LOG.warn("the log thread was interrupted; it goes on");
        }
      }
    }
  }

  /**
   * The answering thread. What stands behind a SESSION_END is answered after it, and that when the
   * tree can be read.
   */
  private static void answer(List<Queued> group) {
    for (Queued queued : group) {
      if (queued.ends()) {
        queued.session.holdAnswers();
      } else if (!queued.session.hold(() -> tell(queued))) {
        tell(queued);
        queued.answered = true;
      }
    }
    for (Queued queued : group) {
      if (queued.answered) {
        guard(queued.append.answer()::flush);
      } else if (!queued.ends()) {
        queued.session.hold(() -> guard(queued.append.answer()::flush));
      }
    }
  }

  private static void tell(Queued queued) {
    guard(queued.accepted ? queued.append.answer()::stored : queued.append.answer()::failed);
  }

  /** One answer's failure is not the others'. */
  private static void guard(Runnable answer) {
    try {
      answer.run();
    } catch (RuntimeException e) {
      LOG.error("an answer failed", e);
    }
  }

  // --- Finishing.

  /** Large sessions are finished one after another, so that small ones need not wait for them. */
  private ExecutorService finisher(LocalSession session) {
    return session.hasRuns() ? heavy : finishers;
  }

  /**
   * Publishes a session that has ended; tries again until it can. Then the append is answered, if
   * there is one.
   */
  private void finish(LocalSession session, Append append) {
    List<TreeFiles.Unforced> files = publish(session);
    if (files.isEmpty()) {
      retry(() -> finisher(session).execute(() -> finish(session, append)));
      return;
    }
    answers.execute(
        () -> {
          if (append != null) {
            guard(append.answer()::stored);
            guard(append.answer()::flush);
          }
          session.releaseAnswers();
        });
    forget(session, files);
  }

  /** Returns the files that are to be forced; none if it could not. */
  private List<TreeFiles.Unforced> publish(LocalSession session) {
    List<TreeFiles.Unforced> files;
    try {
      files = trees.publish(session.id(), session.facts(), session::write);
    } catch (IOException | RuntimeException e) {
      if (unfinished.add(session.id())) {
        LOG.error(
            "session {} cannot be finished, tried again every second: {}",
            session.id(),
            e.toString());
      }
      return List.of();
    }
    unfinished.remove(session.id());
    checkpointer.published(session, files);
    checkpointer.grew(-session.published());
    return files;
  }

  /**
   * Forgets a session that is published. If it has runs, they are needed until its tree is forced.
   */
  private void forget(LocalSession session, List<TreeFiles.Unforced> files) {
    if (session.hasRuns()) {
      try {
        trees.force(files);
      } catch (IOException e) {
        LOG.warn(
            "the tree of session {} cannot be forced, tried again every second: {}",
            session.id(),
            e.toString());
        retry(() -> heavy.execute(() -> forget(session, files)));
        return;
      }
      session.forgetRuns().forEach(runs::retire);
    }
    sessions.remove(session.id(), session);
  }

  private void retry(Runnable task) {
    ScheduledFuture<?> unused =
        retries.schedule(task, options.retry().toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Merges run files, if there is reason to, beside everything else. */
  private void compact() {
    if (compacting.compareAndSet(false, true)) {
      heavy.execute(
          () -> {
            try {
              runs.compact(sessions::get);
            } catch (IOException | RuntimeException e) {
              LOG.warn("run files cannot be merged, tried again later: {}", e.toString());
            } finally {
              compacting.set(false);
            }
          });
    }
  }

  @Override
  public void close() throws IOException {
    synchronized (queueLock) {
      closing = true;
      queueLock.notifyAll();
    }
    try {
      logThread.join();
      runs.stop();
      checkpointer.close();
      retries.shutdownNow();
      long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
      for (ExecutorService executor : List.of(finishers, heavy, answers)) {
        executor.shutdown();
        if (!executor.awaitTermination(until - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          LOG.info("closed before all sessions that have ended were finished; the next start does");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    runs.close();
    log.close();
    lock.close();
  }

  /** Threads that take no more when the store closes; the next start does what is left. */
  private static ExecutorService threads(int count, String name) {
    return new ThreadPoolExecutor(
        count,
        count,
        0,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(),
        daemons(name),
        new ThreadPoolExecutor.DiscardPolicy());
  }

  /**
   * Threads that the store cannot do without: an error in one, such as want of memory, ends the
   * process. Nothing that was answered is lost by that.
   */
  static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      thread.setUncaughtExceptionHandler(
          (failed, cause) -> {
            LOG.error("thread {} failed; the process ends", name, cause);
            Runtime.getRuntime().halt(FATAL);
          });
      return thread;
    };
  }
}
