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
 * What a session will be when all appends in flight are stored, and the rules of what may come
 * next. Guarded by its {@link Session}.
 */
final class Expected {
  private final StoredSession stored;
  private final Sessions sessions;

  Phase phase;
  long sequence;
  long entries;

  /** A deletion is in flight, or done: nothing is stored in this session behind it. */
  boolean deleted;

  private long startKey;

  /** Numbers that were taken since the session was loaded, as nobody knows what is asked for. */
  private final Map<String, Long> numbers = new HashMap<>(0);

  /** Named writers, those in flight included. */
  private int writers;

  Expected(StoredSession stored, Sessions sessions) {
    this.stored = stored;
    this.sessions = sessions;
    load();
  }

  /** Forgets what is in flight. */
  void load() {
    SessionState state = stored.resume();
    phase = state.phase();
    sequence = state.sequence();
    entries = state.entries();
    startKey = state.startKey();
    deleted = state.isDeleted();
    writers = stored.writers();
    numbers.clear();
  }

  /** The number of the writer's last message; 0 when there is none. */
  long lastNumber(String writer) {
    if (writer == null) {
      return 0;
    }
    Long number = numbers.get(writer);
    return number == null ? stored.lastNumber(writer) : number;
  }

  boolean isKnown(String writer, long number) {
    return writer != null && number <= lastNumber(writer) && !deleted;
  }

  /**
   * Whether the message's SESSION_START is to be stored.
   *
   * @throws ProblemException if the message, which is not known, may not come now
   */
  boolean check(String writer, boolean consecutive, Message message) throws ProblemException {
    checkWriter(writer, message.number(), consecutive);
    if (message.unreadable() != null) {
      throw message.unreadable();
    }
    return check(message.batch());
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
    if (writers >= Session.MAX_WRITERS && expected == 1) {
      throw new ProblemException(
          TOO_MANY_WRITERS, "a session takes " + Session.MAX_WRITERS + " named writers");
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

  static ProblemException damage() {
    return new ProblemException(
        STORAGE_UNAVAILABLE,
        "the session has its SESSION_END, but what is stored of it is damaged; it can only be deleted");
  }

  static ProblemException deletion() {
    return new ProblemException(SESSION_DELETED, "the session was deleted; connect anew");
  }

  /** A message is to be stored. */
  void take(String writer, Message message, boolean starts) {
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

  /** An append is in flight. */
  void add(Append append) {
    sequence += append.changes() ? 1 : 0;
    entries += append.entries();
    phase = append.ends() ? Phase.ENDED : phase;
  }
}
