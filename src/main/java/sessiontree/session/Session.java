package sessiontree.session;

import static sessiontree.event.Problem.MESSAGE_OUT_OF_ORDER;
import static sessiontree.event.Problem.PRECONDITION_FAILED;
import static sessiontree.event.Problem.SESSION_ALREADY_STARTED;
import static sessiontree.event.Problem.SESSION_COMPLETE;
import static sessiontree.event.Problem.SESSION_DELETED;
import static sessiontree.event.Problem.SESSION_IN_PROGRESS;
import static sessiontree.event.Problem.SESSION_NOT_FOUND;
import static sessiontree.event.Problem.SESSION_NOT_STARTED;
import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;
import static sessiontree.event.Problem.TOO_MANY_SESSIONS;
import static sessiontree.event.Problem.TOO_MANY_WRITERS;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A session that somebody is streaming to, posting to, or watching: the rules of what may come
 * next, and the numbers of its writers.
 *
 * <p>The rules are checked against what the session will be when all that is queued has been
 * stored, so nobody waits for the disk. If the store fails, the session falls back to what is
 * stored; whatever was checked against more than that is refused by the store, as it expects
 * another sequence. Safe for several threads.
 */
public final class Session {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  /** Named writers that a session takes. */
  public static final int MAX_WRITERS = 10_000;

  /** What messages that become one append have of children at most, unless it is one message. */
  private static final int MAX_GROUP_BYTES = 64 << 10;

  /** Told of the end of the session; once, and then of nothing more. */
  public interface Watcher {
    /** Its tree can be read, and nothing is stored in it any more. */
    void completed(long entries);

    /** Nothing of it can be read any more. What is sent to it is refused. */
    void deleted();

    /** What is stored of it is damaged: it cannot be read, and takes nothing any more. */
    default void damaged() {
      deleted();
    }
  }

  private final String id;
  private final StoredSession stored;
  private final Sessions sessions;

  // What is stored together with what is queued; all guarded by this.
  private Phase phase;
  private long sequence;
  private long entries;
  private long startKey;

  /** Numbers that were taken since the session was loaded, as nobody knows what is asked for. */
  private final Map<String, Long> numbers = new HashMap<>(0);

  /** Named writers, those of what is queued included. */
  private int writers;

  /** Appends that are not answered yet. */
  private int queued;

  /**
   * Counts the times the session fell back; an append of an earlier era does not make it fall back
   * again.
   */
  private int era;

  private final List<Watcher> watchers = new ArrayList<>(1);

  /** A deletion is queued, or done: nothing is stored in this session behind it. */
  private boolean deleted;

  /** The end is durable: it cannot fail any more, though its tree may take long. */
  private boolean endStored;

  /** The deletion is done. Set once. */
  private volatile boolean gone;

  Session(String id, StoredSession stored, Sessions sessions) {
    this.id = id;
    this.stored = stored;
    this.sessions = sessions;
    load();
    if (phase == Phase.ENDED) { // its tree is being made: the store answers when it can be read
      await(new Queued(IGNORED, null, true));
    }
  }

  public String id() {
    return id;
  }

  private void load() {
    SessionState state = stored.state();
    phase = state.phase();
    sequence = state.sequence();
    entries = state.entries();
    startKey = state.startKey();
    endStored = phase == Phase.ENDED;
    deleted = false;
    writers = stored.writers();
    numbers.clear();
  }

  /** From now on the watcher is told of the session's end; at once if it has come. */
  public void watch(Watcher watcher) {
    long complete;
    boolean damaged;
    synchronized (this) {
      damaged = phase == Phase.DAMAGED;
      if (phase != Phase.COMPLETE && !damaged && !gone) {
        watchers.add(watcher);
        return;
      }
      complete = entries;
    }
    if (gone) {
      watcher.deleted();
    } else if (damaged) {
      watcher.damaged();
    } else {
      watcher.completed(complete);
    }
  }

  public synchronized void unwatch(Watcher watcher) {
    watchers.remove(watcher);
  }

  /** The number of the writer's last message, queued ones included; 0 when there is none. */
  public synchronized long lastNumber(String writer) {
    if (writer == null) {
      return 0;
    }
    Long number = numbers.get(writer);
    return number == null ? stored.lastNumber(writer) : number;
  }

  /**
   * Asks what is stored when all that is queued now is. Nothing is told of a session that has ended
   * or is deleted then: its watchers are.
   *
   * @param writer a name, or null
   */
  public void sync(String writer, Synced synced) {
    Reply reply;
    synchronized (this) {
      reply = new SyncReply(writer, lastNumber(writer), synced);
      if (phase == Phase.COMPLETE || phase == Phase.DAMAGED || endStored) {
        return;
      }
      if (queued > 0) { // an end or a deletion too may fail
        await(new Queued(reply, null, false));
        return;
      }
      if (deleted) {
        return;
      }
    }
    reply.stored(1, entries(), false);
    reply.flush();
  }

  private synchronized long entries() {
    return entries;
  }

  /** Told what is stored of a session. */
  public interface Synced {
    /**
     * Comes as a {@link Reply} does.
     *
     * @param messages the number of the writer's last message; 0 when there is none
     */
    void synced(long entries, long messages);
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
    public void stored(int answered, long entries, boolean complete) {
      if (!complete && !gone) {
        synced.synced(entries, messages);
      }
    }

    @Override
    public void refused(
        ProblemException problem) { // something queued before it failed: what is stored is less
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
    received(messages);
    boolean answered = false;
    for (int next = 0; next < messages.size(); ) {
      ProblemException problem = null;
      long now;
      boolean complete;
      synchronized (this) {
        Group group = new Group(writer);
        while (next < messages.size()) {
          try {
            if (!group.tryAdd(messages.get(next), consecutive)) {
              break;
            }
            next++;
          } catch (ProblemException e) {
            problem = e;
            break;
          }
        }
        if (!group.isEmpty()) {
          group.append(reply); // what follows is looked at again, for itself
          continue;
        }
        Message message = messages.get(next++);
        countUnstored(message.batch(), problem, isKnown(writer, message.number()));
        if (queued > 0) { // nothing is to be stored, but its turn comes after what is
          await(new Queued(reply, problem, false));
          continue;
        }
        now = entries;
        complete = phase == Phase.COMPLETE;
      }
      answer(reply, 1, problem, now, complete);
      answered = true;
    }
    if (answered) {
      reply.flush();
    }
  }

  /** Messages that become one append. Guarded by the session. */
  private final class Group {
    private final String writer;
    private final List<Batch> batches = new ArrayList<>();
    private long bytes;
    private long number; // of the last
    private boolean keepsStart;

    Group(String writer) {
      this.writer = writer;
    }

    boolean isEmpty() {
      return batches.isEmpty();
    }

    /**
     * Adds a message, unless nothing of it is to be stored, or there are enough.
     *
     * @throws ProblemException if it may not come now
     */
    boolean tryAdd(Message message, boolean consecutive) throws ProblemException {
      if (phase == Phase.DAMAGED && !deleted) {
        throw damage();
      }
      if (isKnown(writer, message.number())) {
        return false;
      }
      checkWriter(writer, message.number(), consecutive);
      if (message.unreadable() != null) {
        throw message.unreadable();
      }
      Batch batch = message.batch();
      boolean starts = check(batch);
      boolean nothing = batch.count() == 0 && !starts && batch.end() == null && writer == null;
      boolean tooMuch = !isEmpty() && bytes + batch.children().length > MAX_GROUP_BYTES;
      if (nothing || tooMuch) {
        return false;
      }
      batches.add(batch);
      bytes += batch.children().length;
      number = message.number();
      if (starts) {
        keepsStart = true;
        phase = Phase.OPEN;
        startKey = batch.start().key();
      }
      if (batch.end() != null) {
        phase = Phase.ENDED;
      }
      if (writer != null) {
        writers += lastNumber(writer) == 0 ? 1 : 0;
        numbers.put(writer, number);
      }
      return true;
    }

    void append(Reply reply) {
      Batch batch = Batch.joined(batches);
      Queued answer = new Queued(reply, batches.size(), batch);
      answer.starts = keepsStart;
      Session.this.append(
          Append.entries(sequence, batch, keepsStart, writer, number, answer), answer);
    }
  }

  /** Guarded by this. */
  private boolean isKnown(String writer, long number) {
    return writer != null && number <= lastNumber(writer) && !deleted;
  }

  private void received(List<Message> messages) {
    long read = 0;
    for (Message message : messages) {
      read += message.batch() == null ? 0 : message.batch().entries();
    }
    sessions.metrics().messagesReceived.inc(messages.size());
    sessions.metrics().entriesReceived.inc(read);
  }

  /** Counts a message of which nothing is to be stored. */
  private void countUnstored(Batch batch, ProblemException problem, boolean known) {
    Metrics metrics = sessions.metrics();
    if (problem != null) {
      countRefused(1, batch, problem);
    } else if (known) {
      metrics.messagesDuplicate.inc();
      metrics.entriesDuplicate.inc(batch == null ? 0 : batch.entries());
    } else { // a repeated SESSION_START, and nothing else
      metrics.messagesStored.inc();
    }
  }

  private void countRefused(int messages, Batch batch, ProblemException problem) {
    Metrics metrics = sessions.metrics();
    String code = problem.problem().code();
    LOG.debug("session={} messages refused count={} code={}", id, messages, code);
    metrics.messagesRefused.labelValues(code).inc(messages);
    metrics.entriesRefused.labelValues(code).inc(batch == null ? 0 : batch.entries());
  }

  private void checkWriter(String writer, long number, boolean consecutive)
      throws ProblemException {
    if (writer == null || deleted) {
      return;
    }
    long expected = lastNumber(writer) + 1;
    if (consecutive && number > expected) {
      throw new ProblemException(
              MESSAGE_OUT_OF_ORDER, "message " + number + " would skip some; expected " + expected)
          .with("expected", expected);
    }
    if (writers >= MAX_WRITERS && expected == 1) {
      throw new ProblemException(
          TOO_MANY_WRITERS, "a session takes " + MAX_WRITERS + " named writers");
    }
  }

  /** Whether the batch's SESSION_START is to be kept; throws if the batch may not come now. */
  private boolean check(Batch batch) throws ProblemException {
    if (deleted) {
      throw deletion();
    }
    if (phase == Phase.ENDED || phase == Phase.COMPLETE) {
      throw new ProblemException(
          SESSION_COMPLETE, "the session has its SESSION_END; nothing more is stored in it");
    }
    if (phase == Phase.NEW && batch.startIndex() != 0) {
      throw new ProblemException(
          SESSION_NOT_STARTED, "/0", "the first entry of a session is its SESSION_START");
    }
    if (phase == Phase.NEW && sessions.areTooMany()) {
      throw new ProblemException(
          TOO_MANY_SESSIONS, "no further session is opened until others have ended");
    }
    if (phase == Phase.OPEN && batch.start() != null && batch.start().key() != startKey) {
      throw alreadyStarted(batch.startIndex());
    }
    if (batch.secondStartIndex() >= 0) {
      throw alreadyStarted(batch.secondStartIndex());
    }
    return phase == Phase.NEW;
  }

  private static ProblemException alreadyStarted(int index) {
    return new ProblemException(
        SESSION_ALREADY_STARTED,
        "/" + index,
        "the session has a SESSION_START of another timestamp");
  }

  private static ProblemException damage() {
    return new ProblemException(
        STORAGE_UNAVAILABLE,
        "the session has its SESSION_END, but what is stored of it is damaged; it can only be deleted");
  }

  private static ProblemException deletion() {
    return new ProblemException(SESSION_DELETED, "the session was deleted; connect anew");
  }

  /**
   * Removes the session, when all that is queued for it is stored. One that has ended need not have
   * its tree.
   *
   * @param reply its stored() tells that nothing of the session can be read any more
   */
  public void delete(Reply reply) {
    delete(null, reply);
  }

  /**
   * Likewise, but only if it is complete with a tree of that tag, unless the tag is null. What is
   * stored under the id changes by appends to this session alone, in their order: so the condition
   * holds when the deletion is stored, or that is refused.
   */
  public void delete(String expectedTag, Reply reply) {
    ProblemException problem;
    try {
      String tag = expectedTag == null ? null : stored.version();
      synchronized (this) {
        boolean there = phase != Phase.NEW && !deleted;
        if (there
            && (expectedTag == null || (phase == Phase.COMPLETE && expectedTag.equals(tag)))) {
          queueDeletion(reply);
          return;
        }
        problem =
            there
                ? new ProblemException(PRECONDITION_FAILED, "the session has no tree of that tag")
                : new ProblemException(SESSION_NOT_FOUND, "nothing is stored of session " + id);
      }
    } catch (IOException e) {
      problem = new ProblemException(STORAGE_UNAVAILABLE, "the tree cannot be read");
    }
    reply.refused(problem);
    reply.flush();
  }

  /** Guarded by this. */
  private void queueDeletion(Reply reply) {
    deleted = true;
    Queued answer = new Queued(reply, null, false);
    answer.deletes = true;
    append(Append.deletion(sequence, answer), answer);
  }

  /**
   * Ends the session in its client's place, with the greatest timestamp that is stored; unless it
   * is of another version than the one that was seen, or something is appended meanwhile.
   */
  public void abandon(String seenVersion, Reply reply) {
    try {
      long before;
      boolean same;
      synchronized (this) {
        before = sequence;
        same = phase == Phase.OPEN && queued == 0;
      }
      same = same && seenVersion.equals(stored.version());
      Batch.Bound end = same ? stored.latest() : null;
      synchronized (this) {
        if (same && phase == Phase.OPEN && queued == 0 && sequence == before && !deleted) {
          Queued answer = new Queued(reply, null, true);
          append(Append.abandonment(sequence, end, answer), answer);
          return;
        }
      }
      reply.refused(new ProblemException(SESSION_IN_PROGRESS, "the session is not idle"));
    } catch (IOException e) {
      reply.refused(new ProblemException(STORAGE_UNAVAILABLE, "the session cannot be read: " + e));
    }
    reply.flush();
  }

  /** Guarded by this. */
  private void await(Queued answer) {
    append(Append.nothing(sequence, answer), answer);
  }

  /** Guarded by this. */
  private void append(Append append, Queued answer) {
    if (append.changes()) {
      sequence++;
    }
    entries += append.entries();
    if (append.ends()) {
      phase = Phase.ENDED;
    }
    answer.entries = entries;
    answer.added = append.entries();
    answer.era = era;
    queued++;
    stored.append(append);
  }

  private static void answer(
      Reply reply, int messages, ProblemException problem, long entries, boolean complete) {
    if (problem != null) {
      reply.refused(problem);
    } else {
      reply.stored(messages, entries, complete);
    }
  }

  /** An append on its way. */
  private final class Queued implements Append.Answer {
    private final Reply reply;
    private final int messages;
    private final ProblemException problem;
    private final boolean ends;
    private final Batch batch;

    private final long sinceNanos = System.nanoTime();

    // Set before the store sees it.
    private boolean starts;
    private boolean deletes;
    private long entries;
    private int added;
    private int era;

    /**
     * Tells the reply when the append is answered.
     *
     * @param problem what to tell when all before it is answered, or null
     * @param ends whether the session is complete when the append is answered
     */
    Queued(Reply reply, ProblemException problem, boolean ends) {
      this.reply = reply;
      this.messages = 1;
      this.problem = problem;
      this.ends = ends;
      this.batch = null;
    }

    /** Tells the reply when the batch, of so many messages, is stored. */
    Queued(Reply reply, int messages, Batch batch) {
      this.reply = reply;
      this.messages = messages;
      this.problem = null;
      this.ends = batch.end() != null;
      this.batch = batch;
    }

    @Override
    public void stored() {
      List<Watcher> told = List.of();
      boolean complete;
      synchronized (Session.this) {
        if (ends) {
          phase = Phase.COMPLETE;
        }
        gone |= deletes;
        if (ends || deletes) {
          told = List.copyOf(watchers);
          watchers.clear();
        }
        complete = phase == Phase.COMPLETE;
      }
      if (deletes) {
        sessions.forget(Session.this);
      }
      count();
      answer(reply, messages, problem, entries, complete);
      for (Watcher watcher : told) {
        if (deletes) {
          watcher.deleted();
        } else {
          watcher.completed(entries);
        }
      }
      answered();
    }

    private void count() {
      Metrics metrics = sessions.metrics();
      if (batch != null) {
        metrics.messagesStored.inc(messages);
        metrics.entriesStored.inc(added);
        metrics.ackSeconds.observe((System.nanoTime() - sinceNanos) / 1e9);
      }
      if (starts) {
        metrics.sessionsStarted.inc();
      }
      if (ends) {
        metrics.sessionsCompleted.inc();
      }
      if (deletes) {
        metrics.sessionsDeleted.inc();
        LOG.info("session={} deleted", id);
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
      List<Watcher> told = List.of();
      ProblemException why;
      synchronized (Session.this) {
        if (deleted) { // those who watch are told when it is
          why = deletion();
        } else {
          why = damage();
          phase = Phase.DAMAGED;
          told = List.copyOf(watchers);
          watchers.clear();
        }
      }
      why = problem == null ? why : problem;
      if (batch != null) {
        countRefused(messages, batch, why);
      }
      for (int i = 0; i < messages; i++) {
        reply.refused(why);
      }
      told.forEach(Watcher::damaged);
      answered();
    }

    @Override
    public void failed() {
      ProblemException why =
          new ProblemException(
              STORAGE_UNAVAILABLE,
              "the message could not be stored; nothing of it was kept, and it may be sent again");
      if (batch != null) {
        countRefused(messages, batch, why);
      }
      synchronized (Session.this) {
        if (era == Session.this.era) {
          Session.this.era++;
          load();
        }
      }
      for (int i = 0; i < messages; i++) {
        reply.refused(why);
      }
      answered();
    }

    /** Not before the reply was told: what is answered without the store must not overtake it. */
    private void answered() {
      synchronized (Session.this) {
        queued--;
      }
    }

    @Override
    public void flush() {
      reply.flush();
    }
  }

  private static final Reply IGNORED = Reply.of(() -> {});
}
