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
 * What follows when a session has ended, or was deleted: its tree is put in place or removed, then
 * its append has its result, and what is not needed any more goes. What cannot be done is tried
 * again until it can. Safe for several threads.
 */
final class Finisher {
  private static final Logger LOG = LoggerFactory.getLogger(Finisher.class);

  /** Trees are forced by so many threads at once, which share the commits of the file system. */
  private static final int FINISHERS = 32;

  /** A thread that has nothing to do for so long ends. */
  private static final int IDLE_SECONDS = 10;

  /** What is not finished by then when the store closes, the next start finishes. */
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
   * Finishes large sessions and merges run files, one after another, so that small ones need not
   * wait.
   */
  private final ExecutorService heavy = threads(1, "merge");

  private final ScheduledExecutorService retries =
      new ScheduledThreadPoolExecutor(
          1, DaemonThreads.named("retry"), new ThreadPoolExecutor.DiscardPolicy());

  /** Set by the thread that spills, cleared by the one that merges. */
  private final AtomicBoolean merging = new AtomicBoolean();

  /**
   * Sessions that have ended, or were deleted, and whose files could not be put in place so far.
   */
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

  /** Runs all callbacks. */
  Callbacks callbacks() {
    return callbacks;
  }

  /** False while a session cannot be finished. */
  boolean isHealthy() {
    return unfinished.isEmpty();
  }

  /** Has a session that has ended finished. */
  void finishLater(LocalSession session, Append.Callback callback) {
    (session.hasRuns() ? heavy : finishers).execute(() -> finish(session, callback));
  }

  /**
   * Publishes a session that has ended; then the append has its result, if there is one. One that
   * is damaged never will have a tree, which is that session's trouble. One that is deleted needs
   * none.
   */
  private void finish(LocalSession session, Append.Callback callback) {
    if (!publish(session)) {
      switch (session.phase()) {
        case ENDED -> retry(() -> finishLater(session, callback));
        case DAMAGED -> release(session, callback, Append.Callback::noTree);
        default -> LOG.debug("session={} was deleted before it was finished", session.id());
      }
    } else if (session.hasRuns()) { // nobody needs to wait until it is forgotten
      release(session, callback, Append.Callback::stored);
      forget(session);
    } else {
      sessions.remove(session);
      release(session, callback, Append.Callback::stored);
    }
  }

  /**
   * Finishes sessions that have ended, and returns when that was tried for each. What could not be
   * done is tried again.
   */
  void finishAll(List<LocalSession> ended) {
    List<CompletableFuture<Void>> tried = new ArrayList<>();
    for (LocalSession session : ended) {
      tried.add(CompletableFuture.runAsync(() -> finish(session, null), finishers));
    }
    tried.forEach(CompletableFuture::join);
  }

  /** Returns whether the tree could be put in place. */
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
      checkpointer.grew(-session.published());
      metrics.finishSeconds.observe((System.nanoTime() - began) / 1e9);
      return true;
    } catch (DamageException e) { // it is the same at each try, unlike a disk that fails
      session.damaged();
      unfinished.remove(session.id());
      if (session.isDamageNews()) {
        LOG.error("session={} is damaged, and can only be deleted: {}", session.id(), e.toString());
      }
    } catch (IOException | RuntimeException e) {
      if (!session.isDeleted()) {
        failed(session, e);
      }
    } finally {
      session.endPublishing();
    }
    return false;
  }

  /** The session needs no tree any more. */
  void giveUp(LocalSession session) {
    unfinished.remove(session.id());
  }

  private void failed(LocalSession session, Exception e) {
    if (unfinished.add(session.id())) {
      LOG.error(
          "session={} cannot be finished, tried again every second: {}", session.id(), e + "");
    }
  }

  /**
   * Forgets a session that is published, and its runs, when its tree's name and its line in the
   * journal are durable.
   */
  private void forget(LocalSession session) {
    try {
      trees.syncFolder(session.id());
      journal.force();
    } catch (IOException e) {
      LOG.warn(
          "session={} its tree's name or line cannot be made durable, tried again every second: {}",
          session.id(),
          e.toString());
      retry(() -> heavy.execute(() -> forget(session)));
      return;
    }
    session.forgetRuns().forEach(runs::retire);
    sessions.remove(session);
  }

  /**
   * Removes the tree of a session that was deleted, if it has one; then the deletion has its
   * result.
   */
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
          checkpointer.removed(lsn);
          release(session, callback, Append.Callback::stored);
        });
  }

  private void release(
      LocalSession session, Append.Callback callback, Consumer<Append.Callback> outcome) {
    callbacks.runHere(() -> session.releaseCallbacks(callback, outcome));
  }

  private void retry(Runnable task) {
    ScheduledFuture<?> unused =
        retries.schedule(LocalStore.vital(task), retry.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Does something now and then. */
  void every(Duration time, Runnable task) {
    ScheduledFuture<?> unused =
        retries.scheduleWithFixedDelay(
            LocalStore.vital(task), time.toMillis(), time.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Merges run files, if there is reason to, beside everything else. By the thread that spills. */
  void mergeRuns() {
    Runs.Merge merge = merging.get() ? null : runs.mergeDue();
    if (merge == null) {
      return;
    }
    merging.set(true);
    heavy.execute(
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
    for (ExecutorService executor : List.of(finishers, heavy, callbacks.thread())) {
      executor.shutdown();
      if (!executor.awaitTermination(until - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        LOG.info("closed before all sessions that have ended were finished; the next start does");
      }
    }
  }

  /** Threads that take no more when the store closes; the next start does what is left. */
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
