package sessiontree.store.local;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.DaemonThreads;
import sessiontree.store.log.DamageException;

/**
 * Finishes sessions that have ended or were deleted: it puts the tree in place or removes it, then
 * gives the append its result, and releases what is no longer needed. Whatever fails is retried
 * until it succeeds. Safe for several threads.
 */
final class Finisher {
  private static final Logger LOG = LoggerFactory.getLogger(Finisher.class);

  /** Number of threads that force trees; concurrent forces share commits of the file system. */
  private static final int FINISHERS = 32;

  /** Time after which an idle thread ends. */
  private static final int IDLE_SECONDS = 10;

  /** Time that closing waits for sessions to be finished; the next start finishes the rest. */
  private static final long CLOSE_SECONDS = 3;

  private final OpenSessions sessions;
  private final TreeFiles trees;
  private final Runs runs;
  private final Checkpointer checkpointer;
  private final Journal journal;
  private final Duration retry;
  private final Metrics metrics;

  private final Callbacks callbacks = new Callbacks(threads(1, "callbacks"));
  private final ExecutorService finishers = threads(FINISHERS, "finish");

  /**
   * Finishes sessions that have runs, and merges run files, one after another, so that small
   * sessions need not wait for them.
   */
  private final ExecutorService mergeThread = threads(1, "merge");

  private final ScheduledExecutorService retries =
      new ScheduledThreadPoolExecutor(
          1, DaemonThreads.named("retry"), new ThreadPoolExecutor.DiscardPolicy());

  /** Whether a merge is queued or running. Set by the spill thread, cleared by the merge thread. */
  private final AtomicBoolean merging = new AtomicBoolean();

  /** Ids of ended or deleted sessions whose files could not be put in place or removed so far. */
  private final Set<String> unfinished = ConcurrentHashMap.newKeySet();

  Finisher(
      OpenSessions sessions,
      TreeFiles trees,
      Runs runs,
      Checkpointer checkpointer,
      Journal journal,
      Duration retry,
      Metrics metrics) {
    this.sessions = sessions;
    this.trees = trees;
    this.runs = runs;
    this.checkpointer = checkpointer;
    this.journal = journal;
    this.retry = retry;
    this.metrics = metrics;
  }

  /** Returns the runner of all callbacks. */
  Callbacks callbacks() {
    return callbacks;
  }

  /** Returns false while a session cannot be finished. */
  boolean isHealthy() {
    return unfinished.isEmpty();
  }

  /** Dispatches a session that has ended to a thread that finishes it. */
  void finishLater(LocalSession session, Append.Callback callback) {
    (session.hasRuns() ? mergeThread : finishers).execute(() -> finish(session, callback));
  }

  /**
   * Publishes a session that has ended, then gives the append its result, if there is one. A
   * damaged session never has a tree, which affects no other session. A deleted session needs none.
   */
  private void finish(LocalSession session, Append.Callback callback) {
    if (!publish(session)) {
      switch (session.phase()) {
        case ENDED -> retry(() -> finishLater(session, callback));
        case DAMAGED -> release(session, callback, Append.Callback::noTree);
        default -> LOG.debug("session={} was deleted before it was finished", session.id());
      }
    } else if (session.hasRuns()) { // the result need not wait for forget()
      release(session, callback, Append.Callback::stored);
      forget(session);
    } else {
      sessions.remove(session);
      release(session, callback, Append.Callback::stored);
    }
  }

  /** Finishes sessions that have ended; returns when each was tried once. Failures are retried. */
  void finishAll(List<LocalSession> ended) {
    List<CompletableFuture<Void>> tried = new ArrayList<>();
    for (LocalSession session : ended) {
      tried.add(CompletableFuture.runAsync(() -> finish(session, null), finishers));
    }
    tried.forEach(CompletableFuture::join);
  }

  /** Publishes the tree of a session that has ended; returns whether that succeeded. */
  private boolean publish(LocalSession session) {
    if (!session.beginPublishing()) {
      return false;
    }
    long began = System.nanoTime();
    long completed = session.end().epochMicros();
    try {
      trees.publish(session.id(), completed, session.facts(), session::write);
      journal.add(session.line());
      journal.forceIfMuch();
      unfinished.remove(session.id());
      checkpointer.addMemory(-session.published());
      metrics.finishSeconds.observe((System.nanoTime() - began) / 1e9);
      return true;
    } catch (DamageException e) { // unlike a failure of the disk, it stays on every retry
      session.damaged();
      unfinished.remove(session.id());
      session.logDamage(e);
    } catch (IOException | RuntimeException e) {
      if (!session.isDeleted()) {
        failed(session, e);
      }
    } finally {
      session.endPublishing();
    }
    return false;
  }

  /** Stops tracking a session that no longer needs a tree. */
  void giveUp(LocalSession session) {
    unfinished.remove(session.id());
  }

  private void failed(LocalSession session, Exception e) {
    if (unfinished.add(session.id())) {
      LOG.error(
          "session={} its tree cannot be written or removed, retried: {}", session.id(), e + "");
    }
  }

  /**
   * Makes the tree's name and the journal line of a published session durable, then forgets the
   * session and its runs.
   */
  private void forget(LocalSession session) {
    try {
      trees.syncFolder(session.id());
      journal.force();
    } catch (IOException e) {
      LOG.warn(
          "session={} its tree's name or line cannot be made durable, retried: {}",
          session.id(),
          e.toString());
      retry(() -> mergeThread.execute(() -> forget(session)));
      return;
    }
    session.forgetRuns().forEach(runs::retire);
    sessions.remove(session);
  }

  /** Removes the tree of a deleted session, if it has one, then gives the deletion its result. */
  void delete(LocalSession session, long lsn, Append.Callback callback) {
    finishers.execute(
        () -> {
          try {
            session.awaitPublished();
            trees.delete(session.id());
          } catch (IOException | InterruptedException | RuntimeException e) {
            failed(session, e);
            retry(() -> delete(session, lsn, callback));
            return;
          }
          unfinished.remove(session.id());
          checkpointer.treeRemoved(lsn);
          release(session, callback, Append.Callback::stored);
        });
  }

  private void release(
      LocalSession session, Append.Callback callback, Consumer<Append.Callback> outcome) {
    callbacks.runHere(() -> session.callbacks.release(callback, outcome));
  }

  private void retry(Runnable task) {
    ScheduledFuture<?> unused =
        retries.schedule(DaemonThreads.vital(task), retry.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Runs a task repeatedly, with that time between two runs. */
  void every(Duration time, Runnable task) {
    ScheduledFuture<?> unused =
        retries.scheduleWithFixedDelay(
            DaemonThreads.vital(task), time.toMillis(), time.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Starts a merge of run files in the background, if one is due. Called by the spill thread. */
  void mergeRuns() {
    Runs.Merge merge = merging.get() ? null : runs.mergeDue();
    if (merge == null) {
      return;
    }
    merging.set(true);
    mergeThread.execute(
        () -> {
          try {
            runs.merge(merge, sessions::get);
          } catch (IOException | RuntimeException e) {
            LOG.warn("run files cannot be merged, tried again later: {}", e.toString());
          } finally {
            merging.set(false);
          }
        });
  }

  void close() throws InterruptedException {
    retries.shutdownNow();
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
    boolean finished = true;
    for (ExecutorService executor : List.of(finishers, mergeThread, callbacks.thread())) {
      executor.shutdown();
      finished &= executor.awaitTermination(until - System.nanoTime(), TimeUnit.NANOSECONDS);
    }
    if (!finished) {
      LOG.info("closed before all ended sessions were finished; the next start finishes them");
    }
  }

  /** Returns threads that drop new tasks once the store closes; the next start does the rest. */
  private static ExecutorService threads(int count, String name) {
    ThreadPoolExecutor executor =
        new ThreadPoolExecutor(
            count,
            count,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            DaemonThreads.named(name),
            new ThreadPoolExecutor.DiscardPolicy());
    executor.allowCoreThreadTimeOut(true);
    return executor;
  }
}
