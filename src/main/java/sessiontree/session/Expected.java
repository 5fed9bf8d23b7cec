package sessiontree.session;

import static sessiontree.event.Problem.MESSAGE_OUT_OF_ORDER;
import static sessiontree.event.Problem.SESSION_ALREADY_STARTED;
import static sessiontree.event.Problem.SESSION_COMPLETE;
import static sessiontree.event.Problem.SESSION_DELETED;
import static sessiontree.event.Problem.SESSION_NOT_STARTED;
import static sessiontree.event.Problem.STORAGE_UNAVAILABLE;
import static sessiontree.event.Problem.TOO_MANY_SESSIONS;
import static sessiontree.event.Problem.TOO_MANY_WRITERS;

import java.util.HashMap;
import java.util.Map;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/**
 * The state that a session will have when all its in-flight appends are stored, and the rules for
 * what may come next. Guarded by the session's {@link Appends}.
 */
final class Expected {
  private final StoredSession stored;
  private final Sessions sessions;

  Phase phase;
  long sequence;
  long entries;

  /** Whether a deletion is in flight or done: nothing is stored in this session after it. */
  boolean deletionQueued;

  private long startKey;

  /** Last number by writer, for writers with messages taken since the state was loaded. */
  private final Map<String, Long> numbers = new HashMap<>(0);

  /** Number of named writers, including those in flight. */
  private int writers;

  Expected(StoredSession stored, Sessions sessions) {
    this.stored = stored;
    this.sessions = sessions;
    load();
  }

  /** Loads what is stored, and forgets what is in flight. */
  void load() {
    SessionState state = stored.resume();
    phase = state.phase();
    sequence = state.sequence();
    entries = state.entries();
    startKey = state.startKey();
    deletionQueued = state.isDeleted();
    writers = stored.writers();
    numbers.clear();
  }

  /** Returns the number of the writer's last message; 0 if there is none. */
  long lastNumber(String writer) {
    if (writer == null) {
      return 0;
    }
    Long number = numbers.get(writer);
    return number == null ? stored.lastNumber(writer) : number;
  }

  boolean isKnown(String writer, long number) {
    return writer != null && number <= lastNumber(writer) && !deletionQueued;
  }

  /**
   * Checks a message that is not known yet; returns whether its SESSION_START is to be stored.
   *
   * @throws ProblemException if the message is not allowed now
   */
  boolean check(String writer, boolean consecutive, Message message) throws ProblemException {
    checkWriter(writer, message.number(), consecutive);
    if (message.parseProblem() != null) {
      throw message.parseProblem();
    }
    return check(message.batch());
  }

  private void checkWriter(String writer, long number, boolean consecutive)
      throws ProblemException {
    if (writer == null || deletionQueued) {
      return;
    }
    long expected = lastNumber(writer) + 1;
    if (consecutive && number > expected) {
      throw new ProblemException(
              MESSAGE_OUT_OF_ORDER, "message " + number + " would skip some; expected " + expected)
          .with("expected", expected);
    }
    if (writers >= Session.MAX_WRITERS && expected == 1) {
      throw new ProblemException(
          TOO_MANY_WRITERS, "a session takes " + Session.MAX_WRITERS + " named writers");
    }
  }

  /** Returns whether the batch's SESSION_START is to be stored; throws if it is not allowed now. */
  private boolean check(Batch batch) throws ProblemException {
    if (deletionQueued) {
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

  static ProblemException damage() {
    return new ProblemException(
        STORAGE_UNAVAILABLE,
        "the session has its SESSION_END, but what is stored of it is damaged; it can only be deleted");
  }

  static ProblemException deletion() {
    return new ProblemException(SESSION_DELETED, "the session was deleted; connect anew");
  }

  /** Updates the state for a message that is to be stored. */
  void messageTaken(String writer, Message message, boolean starts) {
    if (starts) {
      phase = Phase.OPEN;
      startKey = message.batch().start().key();
    }
    if (message.batch().end() != null) {
      phase = Phase.ENDED;
    }
    if (writer != null) {
      writers += lastNumber(writer) == 0 ? 1 : 0;
      numbers.put(writer, message.number());
    }
  }

  /** Updates the state for an append that is now in flight. */
  void appendQueued(Append append) {
    sequence += append.changes() ? 1 : 0;
    entries += append.entries();
    phase = append.ends() ? Phase.ENDED : phase;
  }
}
