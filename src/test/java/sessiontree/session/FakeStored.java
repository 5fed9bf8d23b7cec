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

/** A stored session in memory; the test decides when an append has its result, and which result. */
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

  /** Returns the writers whose numbers were asked for. */
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

  /** Returns the number of appends without a result. */
  int queued() {
    return queue.size();
  }

  /** Returns the number of appends without a result that have something to store. */
  long queuedBatches() {
    return queue.stream().filter(append -> append.batch() != null).count();
  }

  /** Stores the oldest append and gives its result; refuses it if it expects another sequence. */
  void storeNext() {
    Append append = queue.remove();
    if (append.expected() != sequence) {
      giveFailed(append);
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

  /** Makes the oldest append durable, which ends the session; its result comes later. */
  void holdNext() {
    phase = Phase.ENDED;
    entries += queue.element().entries();
    sequence++;
    queue.element().callback().storedAwaitingTree();
  }

  /** Makes the oldest append durable, which ends the session, and loses its result. */
  void loseNext() {
    phase = Phase.ENDED;
    entries += queue.element().entries();
    sequence++;
    Append.Callback callback = queue.remove().callback();
    callback.unknown();
    callback.flush();
  }

  /** Gives the oldest append, which is held, its result: the session will never have a tree. */
  void giveNoTree(Phase now) {
    phase = now;
    Append.Callback response = queue.remove().callback();
    response.noTree();
    response.flush();
  }

  void storeAll() {
    while (!queue.isEmpty()) {
      storeNext();
    }
  }

  /** Gives the oldest append the result of a failed write. */
  void failNext() {
    giveFailed(queue.remove());
  }

  private static void giveFailed(Append append) {
    append.callback().failed();
    append.callback().flush();
  }
}
