package sessiontree.session;

import static sessiontree.event.Problem.PRECONDITION_FAILED;
import static sessiontree.event.Problem.SESSION_IN_PROGRESS;
import static sessiontree.event.Problem.SESSION_NOT_FOUND;
import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A session that clients stream to, post to, or watch. It stores messages that the rules of {@link
 * Expected} allow, and notifies its watchers of the session's end.
 *
 * <p>The rules are checked against the state that the session will have when all in-flight appends
 * are stored, so no thread waits for the disk. If the store fails, the session falls back to its
 * stored state; the store refuses appends that were checked against a later state, because they
 * expect another sequence.
 *
 * <p>If several servers share the store, another server may append first. Then the appends in
 * flight come back as outdated, and new ones wait. When nothing is in flight, the state is loaded,
 * and all of them are checked again in their order, as if they came now. With such a store every
 * result, even of a refused message, comes from the store. Safe for several threads.
 */
public final class Session {
  /** Maximum number of named writers of a session. */
  public static final int MAX_WRITERS = 10_000;

  /** Maximum bytes of children that become one append, unless they are of one message. */
  private static final int MAX_GROUP_BYTES = 64 << 10;

  /** A listener for what is stored in the session and, once, for its end. Nothing follows that. */
  public interface Watcher {
    /**
     * Called when messages are stored, in the order stored, by a thread that must not block.
     *
     * @param before the number of children that the session had before those of the batch
     */
    default void stored(long before, Batch batch) {}

    /**
     * Called when another server stored messages; the store has them, but they are not passed here.
     */
    default void missed() {}

    /** Called when the session's tree can be read. Nothing is stored in the session any more. */
    void completed(long entries);

    /** Called when nothing of the session can be read any more; messages to it are refused. */
    void deleted();

    /** Called when what is stored is damaged: it cannot be read, and takes nothing any more. */
    default void damaged() {
      deleted();
    }
  }

  private final String id;
  private final StoredSession stored;
  private final Counters counters;
  private final Appends appends; // its monitor is the session's lock
  private final Expected expected; // guarded by appends

  Session(String id, StoredSession stored, Sessions sessions) {
    this.id = id;
    this.stored = stored;
    this.counters = new Counters(id, sessions.metrics());
    this.appends = new Appends(this, stored, sessions, counters);
    this.expected = appends.expected;
  }

  public String id() {
    return id;
  }

  /** Adds a watcher. If the session's end has already come, the watcher is notified at once. */
  public void watch(Watcher watcher) {
    synchronized (appends) {
      if (appends.watch(watcher)) {
        return;
      }
    }
    appends.notifyOfEnd(List.of(watcher));
  }

  public void unwatch(Watcher watcher) {
    synchronized (appends) {
      appends.watchers.remove(watcher);
    }
  }

  /** Returns whether the session is deleted, and its id may be used anew. */
  public boolean isDeleted() {
    return appends.isDeletionDone();
  }

  /** Returns the stored session if somebody watches it, otherwise null. */
  StoredSession watched() {
    synchronized (appends) {
      return appends.watchers.isEmpty() ? null : stored;
    }
  }

  /**
   * Returns the children stored after the first {@code children}, in the order stored; null if that
   * order is not known any more.
   */
  public Cursor since(long children) {
    return stored.since(children);
  }

  /** Returns the number of the writer's last message, in flight or stored; 0 if there is none. */
  public long lastNumber(String writer) {
    synchronized (appends) {
      return expected.lastNumber(writer);
    }
  }

  /** Asks the store what another server changed, and notifies the watchers of the session's end. */
  void changed() {
    synchronized (appends) {
      appends.refresh();
    }
  }

  /**
   * Reports what is stored, once all that is in flight now has been stored. If the session has
   * ended or is deleted by then, only its watchers are notified.
   *
   * @param writer the writer's name, or null
   */
  public void sync(String writer, Synced synced) {
    sync(writer, synced, false);
  }

  private void sync(String writer, Synced synced, boolean resumed) {
    Reply reply;
    long entries;
    synchronized (appends) {
      Runnable again = () -> sync(writer, synced, true);
      if (appends.parking.queueIfBehind(resumed, again) || appends.hasEnd()) {
        return;
      }
      reply = new SyncReply(writer, expected.lastNumber(writer), synced);
      if (appends.mustAskStore()) { // an end or a deletion in flight may fail
        appends.appendNothing(appends.result(reply, null, false, again));
        return;
      }
      if (expected.deletionQueued) {
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
      if (!complete && !appends.isDeletionDone()) {
        synced.synced(entries, messages);
      }
    }

    @Override
    public void refused(ProblemException problem) { // an append in flight failed: less is stored
      sync(writer, synced);
    }

    @Override
    public void flush() {}
  }

  /**
   * Stores messages that a sender has sent together. Consecutive messages that can be stored become
   * one append, which costs hardly more than one message.
   *
   * @param writer the sender's name, or null
   * @param consecutive whether to refuse a message whose number skips one
   * @param messages the messages in the order sent
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
      Appends.Result result;
      synchronized (appends) {
        if (appends.parking.queueIfBehind(
            resumed, () -> submit(writer, consecutive, left, reply, true))) {
          break;
        }
        result = new Group(writer, consecutive, left, reply).append();
        next += result.messages;
        if (result.append != null) {
          continue; // the messages after them are checked anew
        }
        if (appends.mustAskStore()) { // nothing is to be stored, but the reply keeps its turn
          appends.appendNothing(result);
          continue;
        }
        result.prepareReply();
      }
      result.reply();
      replied = true;
    }
    if (replied) {
      reply.flush();
    }
  }

  /**
   * Messages that become one append, or one message of which nothing is to be stored. Guarded by
   * {@code appends}.
   */
  private final class Group {
    private final String writer;
    private final boolean consecutive;
    private final List<Message> messages;
    private final Reply reply;
    private final List<Batch> batches = new ArrayList<>();
    private long bytes;
    private boolean keepsStart;
    private ProblemException problem; // of the message after the batches

    Group(String writer, boolean consecutive, List<Message> messages, Reply reply) {
      this.writer = writer;
      this.consecutive = consecutive;
      this.messages = messages;
      this.reply = reply;
    }

    Appends.Result append() {
      try {
        while (batches.size() < messages.size() && tryAdd(messages.get(batches.size()))) {}
      } catch (ProblemException e) {
        problem = e;
      }
      boolean empty = batches.isEmpty();
      List<Message> taken = messages.subList(0, Math.max(1, batches.size()));
      Message last = taken.get(taken.size() - 1);
      Batch batch = empty ? last.batch() : Batch.joined(batches);
      Runnable again = // keeps the messages, so only where it is needed
          stored.shared() ? () -> submit(writer, consecutive, taken, reply, true) : null;
      Appends.Result result =
          appends
          .new Result(
              reply,
              empty ? problem : null,
              !empty && batch.end() != null,
              again,
              taken.size(),
              batch,
              empty && expected.isKnown(writer, last.number()));
      if (!empty) {
        appends.append(
            Append.entries(expected.sequence, batch, keepsStart, writer, last.number(), result),
            result);
      }
      return result;
    }

    /**
     * Adds a message; returns false if nothing of it is to be stored, or the group is full.
     *
     * @throws ProblemException if the message is not allowed now
     */
    private boolean tryAdd(Message message) throws ProblemException {
      if (expected.phase == Phase.DAMAGED && !expected.deletionQueued) {
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
      expected.messageTaken(writer, message, starts);
      return true;
    }
  }

  /**
   * Deletes the session once all that is in flight for it is stored. A session that has ended can
   * be deleted before it has its tree.
   *
   * @param expectedTag if not null, the deletion is refused unless the session is complete and its
   *     tree has this tag. Only appends to this session, in their order, change what is stored
   *     under the id, so the condition still holds when the deletion is stored
   * @param reply gets {@code stored} when nothing of the session can be read any more
   */
  public void delete(String expectedTag, Reply reply) {
    delete(expectedTag, reply, false);
  }

  private void delete(String expectedTag, Reply reply, boolean resumed) {
    ProblemException problem;
    try {
      String tag = expectedTag == null ? null : stored.version();
      synchronized (appends) {
        Runnable again = () -> delete(expectedTag, reply, true);
        if (appends.parking.queueIfBehind(resumed, again)) {
          return;
        }
        boolean there = expected.phase != Phase.NEW && !expected.deletionQueued;
        boolean complete = expected.phase == Phase.COMPLETE;
        if (there && (expectedTag == null || (complete && expectedTag.equals(tag)))) {
          expected.deletionQueued = true;
          Appends.Result result = appends.result(reply, null, false, again);
          appends.append(Append.deletion(expected.sequence, result), result);
          return;
        }
        problem =
            there
                ? new ProblemException(PRECONDITION_FAILED, "the session has no tree of that tag")
                : new ProblemException(SESSION_NOT_FOUND, "nothing is stored of session " + id);
        if (stored.shared() && !expected.deletionQueued) {
          appends.appendNothing(appends.result(reply, problem, false, again));
          return;
        }
      }
    } catch (IOException e) {
      problem =
          new ProblemException(
              STORAGE_UNAVAILABLE, "the session was not deleted: its tree cannot be read");
    }
    refuse(reply, problem);
  }

  private static void refuse(Reply reply, ProblemException problem) {
    reply.refused(problem);
    reply.flush();
  }

  /**
   * Ends the session on its client's behalf, with the greatest stored timestamp. Refused if the
   * session's version is not {@code seenVersion}, or if something is appended meanwhile.
   */
  public void abandon(String seenVersion, Reply reply) {
    ProblemException problem = new ProblemException(SESSION_IN_PROGRESS, "the session is not idle");
    try {
      long before;
      boolean same;
      synchronized (appends) {
        before = expected.sequence;
        same = appends.isIdle();
      }
      same = same && seenVersion.equals(stored.version());
      Batch.Bound end = same ? stored.latest() : null;
      synchronized (appends) {
        if (same && appends.isIdle() && expected.sequence == before) {
          ProblemException changed = problem;
          Appends.Result result = appends.result(reply, null, true, () -> refuse(reply, changed));
          appends.append(Append.abandonment(before, end, result), result);
          return;
        }
      }
    } catch (IOException e) {
      problem = new ProblemException(STORAGE_UNAVAILABLE, "the session cannot be read: " + e);
    }
    refuse(reply, problem);
  }
}
