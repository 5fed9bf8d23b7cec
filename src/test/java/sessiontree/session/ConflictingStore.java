package sessiontree.session;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.MemoryStore;
import sessiontree.store.PartialTree;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * A store that several nodes share, over a {@link MemoryStore}. Each {@link #step} handles the next
 * append of a random session of a node, so appends of one node come between those of another; with
 * faults, some fail or have an unknown result. Used by one thread.
 */
final class ConflictingStore {
  private final MemoryStore truth = MemoryStore.create();
  private final Random random;
  private final boolean faults;
  private final List<Handle> handles = new ArrayList<>();

  /** Number of appends that were outdated because another append came first. */
  int conflicts;

  ConflictingStore(Random random, boolean faults) {
    this.random = random;
    this.faults = faults;
  }

  /** Returns the store as one node sees it. */
  SessionStore node() {
    return new Node();
  }

  MemoryStore truth() {
    return truth;
  }

  /** Handles an append, or gives a result. Returns false if there is nothing to do. */
  boolean step() {
    List<Handle> busy = handles.stream().filter(Handle::isBusy).toList();
    if (busy.isEmpty()) {
      return false;
    }
    busy.get(random.nextInt(busy.size())).step();
    return true;
  }

  private final class Node implements SessionStore {
    @Override
    public StoredSession open(String id) {
      Handle handle = new Handle(id);
      handles.add(handle);
      return handle;
    }

    @Override
    public SessionState state(String id) {
      return truth.state(id);
    }

    @Override
    public Optional<Tree> tree(String id) {
      return truth.tree(id);
    }

    @Override
    public Optional<PartialTree> partial(String id) throws IOException {
      return truth.partial(id);
    }

    @Override
    public int openSessions() {
      return 0;
    }

    @Override
    public boolean healthy() {
      return true;
    }

    @Override
    public void close() {}
  }

  /** A session as one node sees it: unknown before its first append has a result. */
  private final class Handle implements SessionStore.StoredSession {
    private record Queued(Append append, int era) {}

    private final String id;
    private final ArrayDeque<Queued> queue = new ArrayDeque<>();
    private final ArrayDeque<Runnable> results = new ArrayDeque<>();
    private SessionState seen = SessionState.NEW;
    private SessionStore.StoredSession there;
    private int era;
    private int brokenEra = -1;

    Handle(String id) {
      this.id = id;
    }

    boolean isBusy() {
      return !queue.isEmpty() || !results.isEmpty();
    }

    void step() {
      if (!results.isEmpty() && (queue.isEmpty() || random.nextBoolean())) {
        results.remove().run();
      } else {
        decide(queue.remove());
      }
    }

    private void decide(Queued next) {
      Append append = next.append;
      Append.Callback result = append.callback();
      SessionStore.StoredSession current = truth.open(id);
      there = there == null && current.state().sequence() > 0 ? current : there;
      SessionState state = there == null ? current.state() : there.state();
      if (next.era <= brokenEra || append.expected() != state.sequence()) {
        brokenEra = Math.max(brokenEra, next.era);
        conflicts++;
        give(state, result::outdated, result);
        return;
      }
      int fault = faults ? random.nextInt(20) : 2;
      if (fault == 0) {
        brokenEra = next.era;
        give(state, result::failed, result);
        return;
      }
      boolean stored = fault != 1 || random.nextBoolean();
      SessionStore.StoredSession target = there == null ? current : there;
      if (stored && append.changes()) {
        target.append(withResult(append));
        there = target;
      }
      if (fault == 1) {
        brokenEra = next.era;
        give(seen, result::unknown, result);
      } else {
        give(target.state(), result::stored, result);
      }
    }

    private void give(SessionState state, Runnable outcome, Append.Callback result) {
      results.add(
          () -> {
            seen = state;
            outcome.run();
            result.flush();
          });
    }

    private Append withResult(Append append) {
      return new Append(
          append.kind(),
          append.expected(),
          append.batch(),
          append.keepsStart(),
          append.writer(),
          append.number(),
          new RecordedResult());
    }

    @Override
    public boolean shared() {
      return true;
    }

    @Override
    public SessionState resume() {
      era++;
      return seen;
    }

    @Override
    public SessionState state() {
      return seen;
    }

    /** May be ahead of the state that this node has seen. */
    @Override
    public long lastNumber(String writer) {
      return there == null ? 0 : there.lastNumber(writer);
    }

    @Override
    public int writers() {
      return there == null ? 0 : there.writers();
    }

    @Override
    public String version() throws IOException {
      return there == null ? null : there.version();
    }

    @Override
    public Batch.Bound latest() throws IOException {
      return there.latest();
    }

    @Override
    public Cursor since(long children) {
      return null;
    }

    @Override
    public void append(Append append) {
      queue.add(new Queued(append, era));
    }
  }
}
