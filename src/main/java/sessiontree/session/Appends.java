package sessiontree.session;

import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/**
 * The in-flight appends of a session, and the tasks that wait because another server changed the
 * session first. Its monitor is the session's lock, which also guards {@link Expected} and the
 * watchers. The lock is held while an append is queued in the store, but not while replies and
 * watchers are called.
 */
final class Appends {
  /** For appends of nothing, whose result only brings the session up to date. */
  private static final Reply IGNORED =
      new Reply() {
        @Override
        public void stored(int messages, long entries, boolean complete) {}

        @Override
        public void refused(ProblemException problem) {}

        @Override
        public void flush() {}
      };

  private final Session session;
  private final StoredSession stored;
  private final Sessions sessions;
  private final Counters counters;

  // All guarded by this.
  final Expected expected;
  private final List<Session.Watcher> watchers = new ArrayList<>(1);
  private int inFlight; // appends without a result
  private int era; // counts fallbacks; a failed append of an earlier era causes none
  private boolean endStored; // the session's end cannot fail any more, but its tree may take long
  private final List<Runnable> outdated = new ArrayList<>(0); // tasks to run again, in order
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>(0); // tasks to run after those
  private boolean resuming; // whether a thread runs these tasks

  /** Whether the session's deletion is done. Set once. */
  private volatile boolean gone;

  Appends(Session session, StoredSession stored, Sessions sessions, Counters counters) {
    this.session = session;
    this.stored = stored;
    this.sessions = sessions;
    this.counters = counters;
    this.expected = new Expected(stored, sessions);
    awaitTree();
  }

  /**
   * If the session has ended, queues an append of nothing, whose result comes when the tree can be
   * read, whichever server makes the tree.
   */
  private void awaitTree() {
    endStored = expected.phase == Phase.ENDED;
    if (endStored) {
      await(new Result(IGNORED, null, true, () -> {}));
    }
  }

  /** Adds a watcher; returns false if the session's end has come. Guarded by this. */
  boolean watch(Session.Watcher watcher) {
    boolean ended = gone || expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED;
    return !ended && watchers.add(watcher);
  }

  /** Guarded by this. */
  void unwatch(Session.Watcher watcher) {
    watchers.remove(watcher);
  }

  /** Guarded by this. */
  boolean isWatched() {
    return !watchers.isEmpty();
  }

  /** Returns whether the session's deletion is done. */
  boolean isGone() {
    return gone;
  }

  /** Guarded by this. */
  boolean hasEnd() {
    return endStored || expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED;
  }

  /** Removes and returns the watchers to notify if the session has ended. Guarded by this. */
  private List<Session.Watcher> taken(boolean ended) {
    if (!ended) {
      return List.of();
    }
    List<Session.Watcher> taken = List.copyOf(watchers);
    watchers.clear();
    return taken;
  }

  /** Notifies the watchers of the session's end. */
  void notifyOfEnd(List<Session.Watcher> ended) {
    if (ended.isEmpty()) {
      return;
    }
    Phase phase;
    long entries;
    synchronized (this) {
      phase = expected.phase;
      entries = expected.entries;
    }
    for (Session.Watcher watcher : ended) {
      if (gone) {
        watcher.deleted();
      } else if (phase == Phase.DAMAGED) {
        watcher.damaged();
      } else {
        watcher.completed(entries);
      }
    }
  }

  /** Guarded by this. */
  boolean isIdle() {
    return expected.phase == Phase.OPEN && inFlight == 0 && !isParking() && !expected.deleted;
  }

  // --- Appends in flight. All methods but resume() are guarded by this.

  /** Asks the store for the session's state, which another server may have changed. */
  void lookAtStore() {
    if (!expected.deleted && !isParking()) {
      await(new Result(IGNORED, null, false, () -> {}));
    }
  }

  /** Returns whether a reply has to wait for a result from the store. */
  boolean asksStore() {
    return inFlight > 0 || !outdated.isEmpty() || (stored.shared() && !expected.deleted);
  }

  /** Creates the callback for the result of an append or a message. See {@link Result}. */
  Result result(Reply reply, ProblemException problem, boolean ends, Runnable again) {
    return new Result(reply, problem, ends, again);
  }

  void await(Result result) {
    append(Append.nothing(expected.sequence, result), result);
  }

  void append(Append append, Result result) {
    expected.add(append);
    result.entries = expected.entries;
    result.added = append.entries();
    result.era = era;
    inFlight++;
    stored.append(append);
  }

  /**
   * Queues a task that would overtake outdated ones, and returns true. Returns false if the task
   * may run now, for example because it is {@code resumed}.
   */
  boolean parks(boolean resumed, Runnable task) {
    boolean parks = !resumed && isParking();
    if (parks) {
      waiting.add(task);
    }
    return parks;
  }

  boolean isParking() {
    return resuming || !outdated.isEmpty() || !waiting.isEmpty();
  }

  private void fallBack() {
    era++;
    expected.load();
    endStored = expected.phase == Phase.ENDED;
  }

  /** Once nothing is in flight, runs the outdated tasks again, and then those that wait. */
  private void resume() {
    synchronized (this) {
      if (resuming || !isParking()) {
        return;
      }
      resuming = true;
    }
    while (true) {
      Runnable next;
      List<Session.Watcher> ended = List.of();
      List<Session.Watcher> behind = List.of();
      synchronized (this) {
        if (!outdated.isEmpty() && inFlight > 0) {
          resuming = false; // the last result in flight resumes
          return;
        }
        if (!outdated.isEmpty()) {
          ended = takeOutdated();
          behind = List.copyOf(watchers);
        }
        next = waiting.poll();
        resuming = next != null;
      }
      notifyOfEnd(ended);
      behind.forEach(Session.Watcher::missed);
      if (next == null) {
        return;
      }
      next.run();
    }
  }

  private List<Session.Watcher> takeOutdated() {
    for (int i = outdated.size() - 1; i >= 0; i--) {
      waiting.addFirst(outdated.get(i));
    }
    outdated.clear();
    fallBack();
    gone |= expected.deleted;
    if (gone) {
      sessions.forget(session);
    }
    awaitTree();
    return taken(gone || expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED);
  }

  /** The callback of an append, or of a message of which nothing is to be stored. */
  final class Result implements Append.Callback {
    private final Reply reply;
    private final ProblemException problem;
    private final boolean ends;
    private final Runnable again;
    private final long sinceNanos = System.nanoTime();

    // Set before the append is queued.
    int messages; // 0 if the append is for no message
    Batch batch; // the messages' entries; null if they could not be parsed
    boolean stores; // whether the append stores the batch
    boolean known;
    boolean starts;
    boolean deletes;
    long entries;
    private int added;
    private int era;

    boolean complete;
    private boolean parked; // to be checked again. Owned by the thread that runs callbacks

    /**
     * Creates a callback that passes the append's result on to {@code reply}.
     *
     * @param problem the refusal to send once all earlier appends have their results, or null
     * @param ends whether the session is complete when the append is stored
     * @param again repeats the operation if the append is outdated; null if the store is not shared
     */
    Result(Reply reply, ProblemException problem, boolean ends, Runnable again) {
      this.reply = reply;
      this.problem = problem;
      this.ends = ends;
      this.again = again;
    }

    @Override
    public void stored() {
      List<Session.Watcher> watching = List.of();
      List<Session.Watcher> ended;
      synchronized (Appends.this) {
        if (stores && batch.count() > 0 && !watchers.isEmpty()) {
          watching = List.copyOf(watchers);
        }
        expected.phase = ends ? Phase.COMPLETE : expected.phase;
        gone |= deletes;
        ended = taken(ends || deletes);
        complete = expected.phase == Phase.COMPLETE;
      }
      if (deletes) {
        sessions.forget(session);
      }
      reply();
      for (Session.Watcher watcher : watching) {
        watcher.stored(entries - 1 - (ends ? 1 : 0) - batch.count(), batch);
      }
      notifyOfEnd(ended);
      settled();
    }

    /** Replies with the result, after all earlier appends have theirs. */
    void reply() {
      count();
      if (problem != null) {
        reply.refused(problem);
      } else {
        reply.stored(Math.max(1, messages), entries, complete);
      }
    }

    private void count() {
      Metrics metrics = sessions.metrics();
      if (stores) {
        counters.stored(messages, added, sinceNanos);
      } else if (messages > 0 && problem != null) {
        counters.refused(messages, batch, problem);
      } else if (messages > 0) {
        counters.unstored(batch, known);
      }
      if (starts) {
        metrics.sessionsStarted.inc();
      }
      if (ends) {
        metrics.sessionsCompleted.inc();
      }
      if (deletes) {
        counters.deleted();
      }
    }

    @Override
    public void held() {
      synchronized (Appends.this) {
        endStored |= ends;
      }
      reply.held(problem);
    }

    @Override
    public void noTree() {
      List<Session.Watcher> ended;
      ProblemException why;
      synchronized (Appends.this) {
        why = expected.deleted ? Expected.deletion() : Expected.damage();
        expected.phase = expected.deleted ? expected.phase : Phase.DAMAGED;
        ended = taken(!expected.deleted); // else they are notified of the deletion
      }
      refuse(problem == null ? why : problem, reply::refused);
      notifyOfEnd(ended);
      settled();
    }

    @Override
    public void outdated() {
      if (!parks()) {
        failed();
        return;
      }
      settled();
    }

    /**
     * Queues {@code again} and returns true if another server was first while this was in flight.
     */
    private boolean parks() {
      synchronized (Appends.this) {
        parked = again != null && era == Appends.this.era;
        if (parked) {
          outdated.add(again);
        }
        return parked;
      }
    }

    @Override
    public void failed() {
      boolean behind;
      synchronized (Appends.this) {
        behind = !outdated.isEmpty();
      }
      if (behind && parks()) { // earlier messages of its sender may be outdated
        settled();
        return;
      }
      failed(
          "the message could not be stored; nothing of it was kept, and it may be sent again",
          reply::refused);
    }

    @Override
    public void unknown() {
      failed(
          "it is not known whether the message is stored; with writer and message it may be sent"
              + " again",
          reply::unknown);
    }

    private void failed(String detail, Consumer<ProblemException> result) {
      synchronized (Appends.this) {
        if (era == Appends.this.era) {
          fallBack();
        }
      }
      refuse(new ProblemException(STORAGE_UNAVAILABLE, detail), result);
      settled();
    }

    private void refuse(ProblemException why, Consumer<ProblemException> result) {
      if (messages > 0) {
        counters.refused(messages, batch, why);
      }
      for (int i = 0; i < Math.max(1, messages); i++) {
        result.accept(why);
      }
    }

    /** Takes the append out of flight, after the reply, so that no other append overtakes it. */
    private void settled() {
      boolean last;
      synchronized (Appends.this) {
        inFlight--;
        last = !outdated.isEmpty() && inFlight == 0;
      }
      if (last) {
        resume();
      }
    }

    @Override
    public void flush() {
      if (!parked) {
        reply.flush();
      }
    }
  }
}
