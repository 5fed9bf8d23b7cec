package sessiontree.session;

import static sessiontree.event.Problem.PRECONDITION_FAILED;
import static sessiontree.event.Problem.SESSION_IN_PROGRESS;
import static sessiontree.event.Problem.SESSION_NOT_FOUND;
import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A session that clients stream to, post to, or watch: stores what comes, if the rules of {@link
 * Expected} allow it, and notifies its watchers of the session's end.
 *
 * <p>The rules are checked against what the session will be when all that is in flight has been
 * stored, so no thread waits for the disk. If the store fails, the session falls back to what is
 * stored; the store refuses what was checked against more than that, as it expects another
 * sequence.
 *
 * <p>Where several servers share the store, another server may be first. Then the appends in flight
 * come back as outdated, and what comes meanwhile waits. When nothing is in flight, the state is
 * loaded, and all of it is checked again in its order, as if it came now. No message has a result
 * there without the store. Safe for several threads.
 */
public final class Session {
  /** Named writers that a session takes. */
  public static final int MAX_WRITERS = 10_000;

  /** What messages that become one append have of children at most, unless it is one message. */
  private static final int MAX_GROUP_BYTES = 64 << 10;

  private static final Reply IGNORED = Reply.of(() -> {});

  /** Notified of what is stored in the session and, once, of its end; then of nothing more. */
  public interface Watcher {
    /**
     * Messages are stored. Called in the order stored, by a thread that must not wait.
     *
     * @param before how many children the session had before those of the batch
     */
    default void stored(long before, Batch batch) {}

    /** Another server has stored messages of which no call comes; the store has them. */
    default void missed() {}

    /** Its tree can be read, and nothing is stored in it any more. */
    void completed(long entries);

    /** Nothing of it can be read any more. What is sent to it is refused. */
    void deleted();

    /** What is stored of it is damaged: it cannot be read, and takes nothing any more. */
    default void damaged() {
      deleted();
    }
  }

  /** Gets what is stored of a session. */
  public interface Synced {
    /**
     * Called as a {@link Reply} is.
     *
     * @param messages the number of the writer's last message; 0 when there is none
     */
    void synced(long entries, long messages);
  }

  private final String id;
  private final StoredSession stored;
  private final Sessions sessions;
  private final Counters counters;

  // All guarded by this.
  private final Expected expected;
  private final List<Watcher> watchers = new ArrayList<>(1);
  private int inFlight; // appends without a result
  private int era; // counts the fallbacks; an append of an earlier era makes it fall back no more
  private boolean endStored; // it cannot fail any more, though its tree may take long
  private final List<Runnable> outdated = new ArrayList<>(0); // to be checked again, in order
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>(0); // behind the outdated
  private boolean resuming; // a thread runs what waits

  /** The deletion is done. Set once. */
  private volatile boolean gone;

  Session(String id, StoredSession stored, Sessions sessions) {
    this.id = id;
    this.stored = stored;
    this.sessions = sessions;
    this.counters = new Counters(id, sessions.metrics());
    this.expected = new Expected(stored, sessions);
    awaitTree();
  }

  public String id() {
    return id;
  }

  /**
   * The store has a result when the tree of a session that has ended can be read, whichever server
   * makes it.
   */
  private void awaitTree() {
    endStored = expected.phase == Phase.ENDED;
    if (endStored) {
      await(new Result(IGNORED, null, true, () -> {}));
    }
  }

  /** From now on the watcher is notified of the session's end; at once if it has come. */
  public void watch(Watcher watcher) {
    synchronized (this) {
      if (expected.phase != Phase.COMPLETE && expected.phase != Phase.DAMAGED && !gone) {
        watchers.add(watcher);
        return;
      }
    }
    notifyOfEnd(List.of(watcher));
  }

  public synchronized void unwatch(Watcher watcher) {
    watchers.remove(watcher);
  }

  /** What is stored of it, if somebody watches; null if nobody does. */
  synchronized StoredSession watched() {
    return watchers.isEmpty() ? null : stored;
  }

  /**
   * The children that were stored after the first so many, in the order stored; null if that order
   * is not known any more.
   */
  public Cursor since(long children) {
    return stored.since(children);
  }

  /** The watchers to notify of the session's end; none if it has not come. Guarded by this. */
  private List<Watcher> taken(boolean ended) {
    if (!ended) {
      return List.of();
    }
    List<Watcher> taken = List.copyOf(watchers);
    watchers.clear();
    return taken;
  }

  /** Notifies of the end that has come. */
  private void notifyOfEnd(List<Watcher> ended) {
    if (ended.isEmpty()) {
      return;
    }
    Phase phase;
    long entries;
    synchronized (this) {
      phase = expected.phase;
      entries = expected.entries;
    }
    for (Watcher watcher : ended) {
      if (gone) {
        watcher.deleted();
      } else if (phase == Phase.DAMAGED) {
        watcher.damaged();
      } else {
        watcher.completed(entries);
      }
    }
  }

  /** The number of the writer's last message, those in flight included; 0 when there is none. */
  public synchronized long lastNumber(String writer) {
    return expected.lastNumber(writer);
  }

  /** Another server may have changed it: asks the store, and notifies the watchers of its end. */
  void changed() {
    synchronized (this) {
      if (!expected.deleted && !isParking()) {
        await(new Result(IGNORED, null, false, () -> {}));
      }
    }
  }

  /**
   * Asks what is stored when all that is in flight now is. No call comes of a session that has
   * ended or is deleted then: its watchers are notified.
   *
   * @param writer a name, or null
   */
  public void sync(String writer, Synced synced) {
    sync(writer, synced, false);
  }

  private void sync(String writer, Synced synced, boolean resumed) {
    Reply reply;
    long entries;
    synchronized (this) {
      Runnable again = () -> sync(writer, synced, true);
      if (parks(resumed, again)) {
        return;
      }
      if (expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED || endStored) {
        return;
      }
      reply = new SyncReply(writer, expected.lastNumber(writer), synced);
      if (asksStore()) { // an end or a deletion in flight may fail
        await(new Result(reply, null, false, again));
        return;
      }
      if (expected.deleted) {
        return;
      }
      entries = expected.entries;
    }
    reply.stored(1, entries, false);
    reply.flush();
  }

  private final class SyncReply implements Reply {
    private final String writer;
    private final long messages;
    private final Synced synced;

    SyncReply(String writer, long messages, Synced synced) {
      this.writer = writer;
      this.messages = messages;
      this.synced = synced;
    }

    @Override
    public void stored(int replied, long entries, boolean complete) {
      if (!complete && !gone) {
        synced.synced(entries, messages);
      }
    }

    @Override
    public void refused(ProblemException problem) { // what was in flight failed: less is stored
      sync(writer, synced);
    }

    @Override
    public void flush() {}
  }

  /**
   * Stores messages that a sender has sent together. Those that follow each other and can be stored
   * become one append, which costs hardly more than one message.
   *
   * @param writer the sender's name, or null
   * @param consecutive whether a number that skips one is refused
   * @param messages in the order sent
   */
  public void submit(String writer, boolean consecutive, List<Message> messages, Reply reply) {
    counters.received(messages);
    submit(writer, consecutive, messages, reply, false);
  }

  private void submit(
      String writer, boolean consecutive, List<Message> messages, Reply reply, boolean resumed) {
    boolean replied = false;
    for (int next = 0; next < messages.size(); ) {
      List<Message> left = messages.subList(next, messages.size());
      Result result;
      synchronized (this) {
        if (parks(resumed, () -> submit(writer, consecutive, left, reply, true))) {
          break;
        }
        result = new Group(writer, consecutive, left, reply).append();
        next += result.messages;
        if (result.stores) {
          continue; // what follows is looked at again, for itself
        }
        if (asksStore()) { // nothing is to be stored, but its turn comes after what is in flight
          await(result);
          continue;
        }
        result.entries = expected.entries;
        result.complete = expected.phase == Phase.COMPLETE;
      }
      result.reply();
      replied = true;
    }
    if (replied) {
      reply.flush();
    }
  }

  /** Messages that become one append, or one of which nothing is to be stored. Guarded by this. */
  private final class Group {
    private final String writer;
    private final boolean consecutive;
    private final List<Message> messages;
    private final Reply reply;
    private final List<Batch> batches = new ArrayList<>();
    private long bytes;
    private boolean keepsStart;
    private ProblemException problem; // of the message behind

    Group(String writer, boolean consecutive, List<Message> messages, Reply reply) {
      this.writer = writer;
      this.consecutive = consecutive;
      this.messages = messages;
      this.reply = reply;
    }

    Result append() {
      try {
        while (batches.size() < messages.size() && tryAdd(messages.get(batches.size()))) {}
      } catch (ProblemException e) {
        problem = e;
      }
      boolean empty = batches.isEmpty();
      List<Message> taken = messages.subList(0, Math.max(1, batches.size()));
      Message last = taken.get(taken.size() - 1);
      Runnable again =
          stored.shared() ? () -> submit(writer, consecutive, taken, reply, true) : null;
      Result result =
          new Result(reply, empty ? problem : null, !empty && last.batch().end() != null, again);
      result.messages = taken.size();
      result.batch = empty ? last.batch() : Batch.joined(batches);
      if (empty) {
        result.known = expected.isKnown(writer, last.number());
        return result;
      }
      result.stores = true;
      result.starts = keepsStart;
      Session.this.append(
          Append.entries(
              expected.sequence, result.batch, keepsStart, writer, last.number(), result),
          result);
      return result;
    }

    /**
     * Adds a message, unless nothing of it is to be stored, or there are enough.
     *
     * @throws ProblemException if it may not come now
     */
    private boolean tryAdd(Message message) throws ProblemException {
      if (expected.phase == Phase.DAMAGED && !expected.deleted) {
        throw Expected.damage();
      }
      if (expected.isKnown(writer, message.number())) {
        return false;
      }
      boolean starts = expected.check(writer, consecutive, message);
      Batch batch = message.batch();
      boolean nothing = batch.count() == 0 && !starts && batch.end() == null && writer == null;
      boolean empty = batches.isEmpty();
      if (nothing || (!empty && bytes + batch.children().length > MAX_GROUP_BYTES)) {
        return false;
      }
      batches.add(batch);
      bytes += batch.children().length;
      keepsStart |= starts;
      expected.take(writer, message, starts);
      return true;
    }
  }

  /**
   * Removes the session, when all that is in flight for it is stored. One that has ended need not
   * have its tree.
   *
   * @param reply stored() means that nothing of the session can be read any more
   */
  public void delete(Reply reply) {
    delete(null, reply);
  }

  /**
   * Removes the session, but only if it is complete with a tree of that tag, unless the tag is
   * null. What is stored under the id changes by appends to this session alone, in their order: so
   * the condition holds when the deletion is stored, or that is refused.
   */
  public void delete(String expectedTag, Reply reply) {
    delete(expectedTag, reply, false);
  }

  private void delete(String expectedTag, Reply reply, boolean resumed) {
    ProblemException problem;
    try {
      String tag = expectedTag == null ? null : stored.version();
      synchronized (this) {
        Runnable again = () -> delete(expectedTag, reply, true);
        if (parks(resumed, again)) {
          return;
        }
        boolean there = expected.phase != Phase.NEW && !expected.deleted;
        boolean complete = expected.phase == Phase.COMPLETE;
        if (there && (expectedTag == null || (complete && expectedTag.equals(tag)))) {
          expected.deleted = true;
          Result result = new Result(reply, null, false, again);
          result.deletes = true;
          append(Append.deletion(expected.sequence, result), result);
          return;
        }
        problem =
            there
                ? new ProblemException(PRECONDITION_FAILED, "the session has no tree of that tag")
                : new ProblemException(SESSION_NOT_FOUND, "nothing is stored of session " + id);
        if (stored.shared() && !expected.deleted) {
          await(new Result(reply, problem, false, again));
          return;
        }
      }
    } catch (IOException e) {
      problem = new ProblemException(STORAGE_UNAVAILABLE, "the tree cannot be read");
    }
    refuse(reply, problem);
  }

  private static void refuse(Reply reply, ProblemException problem) {
    reply.refused(problem);
    reply.flush();
  }

  /**
   * Ends the session in its client's place, with the greatest timestamp that is stored; unless it
   * is of another version than the one that was seen, or something is appended meanwhile.
   */
  public void abandon(String seenVersion, Reply reply) {
    ProblemException problem = new ProblemException(SESSION_IN_PROGRESS, "the session is not idle");
    try {
      long before;
      boolean same;
      synchronized (this) {
        before = expected.sequence;
        same = isIdle();
      }
      same = same && seenVersion.equals(stored.version());
      Batch.Bound end = same ? stored.latest() : null;
      synchronized (this) {
        if (same && isIdle() && expected.sequence == before) {
          ProblemException changed = problem;
          Result result = new Result(reply, null, true, () -> refuse(reply, changed));
          append(Append.abandonment(before, end, result), result);
          return;
        }
      }
    } catch (IOException e) {
      problem = new ProblemException(STORAGE_UNAVAILABLE, "the session cannot be read: " + e);
    }
    refuse(reply, problem);
  }

  /** Guarded by this. */
  private boolean isIdle() {
    return expected.phase == Phase.OPEN && inFlight == 0 && !isParking() && !expected.deleted;
  }

  // --- Appends in flight. All but resume() guarded by this.

  /** Whether a reply may not come before the store was asked. */
  private boolean asksStore() {
    return inFlight > 0 || !outdated.isEmpty() || (stored.shared() && !expected.deleted);
  }

  private void await(Result result) {
    append(Append.nothing(expected.sequence, result), result);
  }

  private void append(Append append, Result result) {
    expected.add(append);
    result.entries = expected.entries;
    result.added = append.entries();
    result.era = era;
    inFlight++;
    stored.append(append);
  }

  /** Has a task wait that would overtake what is outdated; unless it is being resumed itself. */
  private boolean parks(boolean resumed, Runnable task) {
    boolean parks = !resumed && isParking();
    if (parks) {
      waiting.add(task);
    }
    return parks;
  }

  private boolean isParking() {
    return resuming || !outdated.isEmpty() || !waiting.isEmpty();
  }

  private void fallBack() {
    era++;
    expected.load();
    endStored = expected.phase == Phase.ENDED;
  }

  /** Checks again what is outdated, and then what waits, when nothing is in flight. */
  private void resume() {
    synchronized (this) {
      if (resuming || !isParking()) {
        return;
      }
      resuming = true;
    }
    while (true) {
      Runnable next;
      List<Watcher> ended = List.of();
      List<Watcher> behind = List.of();
      synchronized (this) {
        if (!outdated.isEmpty() && inFlight > 0) {
          resuming = false; // the last result resumes
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
      behind.forEach(Watcher::missed);
      if (next == null) {
        return;
      }
      next.run();
    }
  }

  private List<Watcher> takeOutdated() {
    for (int i = outdated.size() - 1; i >= 0; i--) {
      waiting.addFirst(outdated.get(i));
    }
    outdated.clear();
    fallBack();
    gone |= expected.deleted;
    if (gone) {
      sessions.forget(this);
    }
    awaitTree();
    return taken(gone || expected.phase == Phase.COMPLETE || expected.phase == Phase.DAMAGED);
  }

  /** The result of an append, or of a message of which nothing is to be stored. */
  private final class Result implements Append.Callback {
    private final Reply reply;
    private final ProblemException problem;
    private final boolean ends;
    private final Runnable again;
    private final long sinceNanos = System.nanoTime();

    // Set before the store sees it.
    private int messages; // 0 if it is of none
    private Batch batch; // of the messages; null if they could not be read
    private boolean stores; // the batch
    private boolean known;
    private boolean starts;
    private boolean deletes;
    private long entries;
    private int added;
    private int era;

    private boolean complete;
    private boolean parked; // it has no result yet; of the thread that gives results

    /**
     * Passes the result on when the append has it.
     *
     * @param problem the result when all before it have theirs, or null
     * @param ends whether the session is complete when the append is stored
     * @param again does the same anew when it is outdated; null if the store is not shared
     */
    Result(Reply reply, ProblemException problem, boolean ends, Runnable again) {
      this.reply = reply;
      this.problem = problem;
      this.ends = ends;
      this.again = again;
    }

    @Override
    public void stored() {
      List<Watcher> watching = List.of();
      List<Watcher> ended;
      synchronized (Session.this) {
        if (stores && batch.count() > 0 && !watchers.isEmpty()) {
          watching = List.copyOf(watchers);
        }
        expected.phase = ends ? Phase.COMPLETE : expected.phase;
        gone |= deletes;
        ended = taken(ends || deletes);
        complete = expected.phase == Phase.COMPLETE;
      }
      if (deletes) {
        sessions.forget(Session.this);
      }
      reply();
      for (Watcher watcher : watching) {
        watcher.stored(entries - 1 - (ends ? 1 : 0) - batch.count(), batch);
      }
      notifyOfEnd(ended);
      settled();
    }

    /** Passes on its result, when all before it have theirs. */
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
      synchronized (Session.this) {
        endStored |= ends;
      }
      reply.held(problem);
    }

    @Override
    public void noTree() {
      List<Watcher> ended;
      ProblemException why;
      synchronized (Session.this) {
        why = expected.deleted ? Expected.deletion() : Expected.damage();
        expected.phase = expected.deleted ? expected.phase : Phase.DAMAGED;
        ended = taken(!expected.deleted); // else they are notified when it is
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

    /** Whether it is to be checked again: what was in flight when another was first. */
    private boolean parks() {
      synchronized (Session.this) {
        parked = again != null && era == Session.this.era;
        if (parked) {
          outdated.add(again);
        }
        return parked;
      }
    }

    @Override
    public void failed() {
      boolean behind;
      synchronized (Session.this) {
        behind = !outdated.isEmpty();
      }
      if (behind && parks()) { // its sender's messages before it may be outdated
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
      synchronized (Session.this) {
        if (era == Session.this.era) {
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

    /** Not before the reply has it: what is replied without the store must not overtake it. */
    private void settled() {
      boolean last;
      synchronized (Session.this) {
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
