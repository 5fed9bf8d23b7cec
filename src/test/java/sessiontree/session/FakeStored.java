package sessiontree.session;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore.StoredSession;

/** What a store keeps of a session, where the test says when an append is answered, and how. */
final class FakeStored implements StoredSession {
  private final Deque<Append> queue = new ArrayDeque<>();
  private final Map<String, Long> writers = new HashMap<>();
  private final Set<String> askedFor = new HashSet<>();
  private Phase phase = Phase.NEW;
  private long sequence;
  private long entries;
  private long startKey;

  @Override
  public SessionState state() {
    return new SessionState(phase, sequence, entries, startKey);
  }

  @Override
  public long lastNumber(String writer) {
    askedFor.add(writer);
    return writers.getOrDefault(writer, 0L);
  }

  @Override
  public int writers() {
    return writers.size();
  }

  /** The writers whose numbers were asked for. */
  Set<String> askedFor() {
    return askedFor;
  }

  @Override
  public String version() {
    return phase + "-" + sequence;
  }

  @Override
  public Batch.Bound latest() {
    return new Batch.Bound(startKey, "0");
  }

  @Override
  public Cursor since(long children) {
    return null;
  }

  @Override
  public void append(Append append) {
    queue.add(append);
  }

  /** Appends that are not answered. */
  int queued() {
    return queue.size();
  }

  /** Appends that are not answered and have something to store. */
  long queuedBatches() {
    return queue.stream().filter(append -> append.batch() != null).count();
  }

  /** Stores and answers the oldest, or refuses it if it expects another sequence. */
  void storeNext() {
    Append append = queue.remove();
    if (append.expected() != sequence) {
      answerFailed(append);
      return;
    }
    if (append.kind() == Append.Kind.DELETION) {
      sequence++;
      phase = Phase.NEW;
    } else if (append.batch() != null) {
      sequence++;
      entries += append.entries();
      if (append.keepsStart()) {
        phase = Phase.OPEN;
        startKey = append.batch().start().key();
      }
      if (append.batch().end() != null) {
        phase = Phase.COMPLETE;
      }
      if (append.writer() != null) {
        writers.put(append.writer(), append.number());
      }
    }
    append.callback().stored();
    append.callback().flush();
  }

  /** The oldest is durable, and ends the session; it is answered later. */
  void holdNext() {
    phase = Phase.ENDED;
    entries += queue.element().entries();
    sequence++;
    queue.element().callback().held();
  }

  /** The oldest, which is held, is answered: the session never will have a tree. */
  void answerNoTree(Phase now) {
    phase = now;
    Append.Callback answer = queue.remove().callback();
    answer.noTree();
    answer.flush();
  }

  void storeAll() {
    while (!queue.isEmpty()) {
      storeNext();
    }
  }

  /** Answers the oldest as a write that failed. */
  void failNext() {
    answerFailed(queue.remove());
  }

  private static void answerFailed(Append append) {
    append.callback().failed();
    append.callback().flush();
  }
}
