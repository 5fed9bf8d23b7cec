package sessiontree.session;

import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;

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
 * The in-flight appends of a session, and its watchers. Its monitor is the session's lock, which
 * also guards {@link Expected} and {@link Parking}. The lock is held while an append is queued in
 * the store, but not while replies and watchers are called.
 */
final class Appends {
  private final Session session;
  private final StoredSession stored;
  private final Sessions sessions;
  private final Counters counters;

  // All guarded by this.
  final Expected expected;
  final Parking parking = new Parking(this);
  final List<Session.Watcher> watchers = new ArrayList<>(1);
  int inFlight; // appends without a result
  private int endsInFlight; // likewise, of those whose results complete the session
  private int fallbacks; // how often the expected state was loaded anew
  private boolean endStored; // the session's end cannot fail any more, but its tree may take long

  /** Whether the session's deletion is done. Set once. */
  private volatile boolean deletionDone;

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
      appendNothing(result(Reply.NONE, null, true, () -> {}));
    }
  }

  /** Adds a watcher; returns false if the session is over. Guarded by this. */
  boolean watch(Session.Watcher watcher) {
    return !isOver() && watchers.add(watcher);
  }

  /** Returns whether the session's deletion is done. */
  boolean isDeletionDone() {
    return deletionDone;
  }

  /** Returns whether the watchers' last notification is due, or has been given. Guarded by this. */
  private boolean isOver() {
    return deletionDone || expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED;
  }

  /** Returns whether the session is over, or will be without a further append. Guarded by this. */
  boolean hasEnd() {
    return endStored || isOver();
  }

  /** Removes and returns the watchers to notify if the session is over. Guarded by this. */
  private List<Session.Watcher> takeWatchers() {
    if (!isOver()) {
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
      if (deletionDone) {
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
    return expected.phase == Phase.OPEN
        && inFlight == 0
        && !parking.hasQueued()
        && !expected.deletionQueued;
  }

  // --- Appends in flight. All guarded by this.

  /**
   * Asks the store for the session's state, which another server may have changed. If the result of
   * SESSION_END was lost, no result in flight completes the session; then this waits for its tree.
   */
  void refresh() {
    if (!expected.deletionQueued && !parking.hasQueued()) {
      boolean ends = expected.phase == Phase.ENDED && endsInFlight == 0;
      appendNothing(result(Reply.NONE, null, ends, () -> {}));
    }
  }

  /** Returns whether a reply has to wait for the result of an append of nothing. */
  boolean mustAskStore() {
    return inFlight > 0 || parking.hasOutdated() || (stored.shared() && !expected.deletionQueued);
  }

  /** Creates the callback for an append that is for no message. See {@link Result}. */
  Result result(Reply reply, ProblemException problem, boolean ends, Runnable again) {
    return new Result(reply, problem, ends, again, 0, null, false);
  }

  void appendNothing(Result result) {
    append(Append.nothing(expected.sequence, result), result);
  }

  void append(Append append, Result result) {
    expected.appendQueued(append);
    result.append = append;
    result.entries = expected.entries;
    result.fallbacks = fallbacks;
    inFlight++;
    endsInFlight += result.ends ? 1 : 0;
    stored.append(append);
  }

  private void fallBack() {
    fallbacks++;
    expected.load();
    endStored = expected.phase == Phase.ENDED;
  }

  /**
   * Loads what another server has stored. Returns the watchers to notify if that ended or deleted
   * the session.
   */
  List<Session.Watcher> reload() {
    fallBack();
    deletionDone |= expected.deletionQueued;
    if (deletionDone) {
      sessions.forget(session);
    }
    awaitTree();
    return takeWatchers();
  }

  /** The callback of an append, or of a message of which nothing is to be stored. */
  final class Result implements Append.Callback {
    private final Reply reply;
    private final ProblemException problem;
    private final boolean ends;
    private final Runnable again;
    final int messages;
    private final Batch batch;
    private final boolean known;
    private final long sinceNanos = System.nanoTime();

    // Set when the append is queued. Guarded by Appends.this until then.
    Append append; // null if the reply needs none
    private long entries;
    private int fallbacks; // a failed append falls back only if no other has done so since

    private boolean complete; // set before the reply
    private boolean parked; // to be checked again. Owned by the thread that runs callbacks

    /**
     * Creates a callback that passes the append's result on to {@code reply}.
     *
     * @param problem the refusal to send once all earlier appends have their results, or null
     * @param ends whether the session is complete when the append is stored
     * @param again repeats the operation if the append is outdated; may be null if the store is not
     *     shared
     * @param messages the number of messages that get the result; 0 if the append is for none
     * @param batch the messages' entries, whether they are to be stored or not; null if they could
     *     not be parsed
     * @param known whether the message was stored before
     */
    Result(
        Reply reply,
        ProblemException problem,
        boolean ends,
        Runnable again,
        int messages,
        Batch batch,
        boolean known) {
      this.reply = reply;
      this.problem = problem;
      this.ends = ends;
      this.again = again;
      this.messages = messages;
      this.batch = batch;
      this.known = known;
    }

    private boolean is(Append.Kind kind) {
      return append != null && append.kind() == kind;
    }

    @Override
    public void stored() {
      List<Session.Watcher> watching = List.of();
      List<Session.Watcher> ended;
      synchronized (Appends.this) {
        if (is(Append.Kind.ENTRIES) && batch.count() > 0 && !watchers.isEmpty()) {
          watching = List.copyOf(watchers);
        }
        expected.phase = ends ? Phase.COMPLETE : expected.phase;
        deletionDone |= is(Append.Kind.DELETION);
        ended = takeWatchers();
        complete = expected.phase == Phase.COMPLETE;
      }
      if (is(Append.Kind.DELETION)) {
        sessions.forget(session);
      }
      reply();
      for (Session.Watcher watcher : watching) {
        watcher.stored(entries - 1 - (ends ? 1 : 0) - batch.count(), batch);
      }
      notifyOfEnd(ended);
      settled();
    }

    /** Prepares a reply that needs no append. Guarded by Appends.this. */
    void prepareReply() {
      entries = expected.entries;
      complete = expected.phase == Phase.COMPLETE;
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
      if (is(Append.Kind.ENTRIES)) {
        counters.stored(messages, append.entries(), sinceNanos);
      } else if (messages > 0 && problem != null) {
        counters.refused(messages, batch, problem);
      } else if (messages > 0) {
        counters.unstored(batch, known);
      }
      if (append != null && append.keepsStart()) {
        metrics.sessionsStarted.inc();
      }
      if (ends) {
        metrics.sessionsCompleted.inc();
      }
      if (is(Append.Kind.DELETION)) {
        counters.deleted();
      }
    }

    @Override
    public void storedAwaitingTree() {
      synchronized (Appends.this) {
        endStored |= ends;
      }
      reply.storedAwaitingTree(problem);
    }

    @Override
    public void noTree() {
      List<Session.Watcher> ended;
      ProblemException why;
      synchronized (Appends.this) {
        why = expected.deletionQueued ? Expected.deletion() : Expected.damage();
        expected.phase = expected.deletionQueued ? expected.phase : Phase.DAMAGED;
        ended = takeWatchers(); // none if the session is deleted, which they are notified of
      }
      refuse(problem == null ? why : problem, reply::refused);
      notifyOfEnd(ended);
      settled();
    }

    @Override
    public void outdated() {
      if (!requeued()) {
        failed();
      }
    }

    /**
     * Queues {@code again} and returns true if another server was first while this was in flight.
     */
    private boolean requeued() {
      synchronized (Appends.this) {
        parked = again != null && fallbacks == Appends.this.fallbacks;
        if (parked) {
          parking.addOutdated(again);
        }
      }
      if (parked) {
        settled();
      }
      return parked;
    }

    @Override
    public void failed() {
      boolean behind; // earlier messages of its sender may be outdated
      synchronized (Appends.this) {
        behind = parking.hasOutdated();
      }
      if (!behind || !requeued()) {
        failed(
            messages > 0
                ? "the message could not be stored; nothing of it was kept, and it may be sent again"
                : "the storage failed; nothing was changed, and the request may be sent again",
            reply::refused);
      }
    }

    @Override
    public void unknown() {
      failed(
          messages > 0
              ? "it is not known whether the message is stored; with writer and message it may be"
                  + " sent again"
              : "it is not known whether the session was changed; the request may be sent again",
          reply::unknown);
    }

    private void failed(String detail, Consumer<ProblemException> result) {
      synchronized (Appends.this) {
        if (fallbacks == Appends.this.fallbacks) {
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
        endsInFlight -= ends ? 1 : 0;
        last = inFlight == 0 && parking.hasOutdated();
      }
      if (last) {
        parking.resume();
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
