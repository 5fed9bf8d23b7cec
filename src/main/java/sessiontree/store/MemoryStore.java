package sessiontree.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import sessiontree.event.Batch;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;
import sessiontree.sort.SessionBuffer;

/**
 * Keeps sessions in memory, for trying things out and for tests: nothing survives the process, and
 * its memory is the only limit. Otherwise it keeps the promises of a {@link SessionStore}.
 */
public final class MemoryStore implements SessionStore, Listable, Expirable {
  private final ConcurrentSkipListMap<String, MemorySession> sessions =
      new ConcurrentSkipListMap<>();
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicLong versions = new AtomicLong();
  private final RunningClock clock = new RunningClock(System::nanoTime);
  private final ExecutorService answers =
      Executors.newSingleThreadExecutor(DaemonThreads.named("answers"));

  private MemoryStore() {}

  public static MemoryStore create() {
    return new MemoryStore();
  }

  @Override
  public StoredSession open(String id) {
    MemorySession session = sessions.get(id);
    return session == null ? new MemorySession(id) : session;
  }

  @Override
  public SessionState state(String id) {
    MemorySession session = sessions.get(id);
    return session == null ? SessionState.NEW : session.state();
  }

  @Override
  public Optional<Tree> tree(String id) {
    MemorySession session = sessions.get(id);
    return Optional.ofNullable(session == null ? null : session.tree);
  }

  @Override
  public Optional<PartialTree> partial(String id) throws IOException {
    MemorySession session = sessions.get(id);
    return session == null ? Optional.empty() : session.partial();
  }

  @Override
  public Listing list(Listing.Filter filter, String after, int limit) {
    List<Listing.Listed> page = new ArrayList<>();
    for (MemorySession session : sessions.tailMap(after == null ? "" : after, false).values()) {
      boolean complete = session.tree != null;
      if (filter == Listing.Filter.ALL || complete == (filter == Listing.Filter.COMPLETE)) {
        if (page.size() == limit) {
          return new Listing(page, page.get(limit - 1).id());
        }
        page.add(session.listed());
      }
    }
    return new Listing(page, null);
  }

  @Override
  public List<Seen> idle(Duration time, int limit) {
    return sessions.values().stream()
        .map(session -> session.quietFor(time, false))
        .filter(Objects::nonNull)
        .limit(limit)
        .toList();
  }

  @Override
  public List<Seen> completeFor(Duration time, int limit) {
    return sessions.values().stream()
        .map(session -> session.quietFor(time, true))
        .filter(Objects::nonNull)
        .limit(limit)
        .toList();
  }

  @Override
  public int openSessions() {
    return open.get();
  }

  @Override
  public boolean healthy() {
    return true;
  }

  @Override
  public void close() {
    answers.shutdown();
    try {
      answers.awaitTermination(1, TimeUnit.MINUTES);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private final class MemorySession implements StoredSession {
    private final String id;

    // All guarded by this.
    private final Map<String, Long> writers = new HashMap<>();
    private SessionBuffer buffer = new SessionBuffer();
    private long sequence;
    private long entries;
    private Batch.Bound start;
    private Batch.Bound end;
    private long appendedMillis;
    private String version;
    private volatile MemoryTree tree;

    MemorySession(String id) {
      this.id = id;
    }

    @Override
    public synchronized SessionState state() {
      SessionState.Phase phase =
          tree != null
              ? SessionState.Phase.COMPLETE
              : start != null ? SessionState.Phase.OPEN : SessionState.Phase.NEW;
      return new SessionState(phase, sequence, entries, start == null ? 0 : start.key());
    }

    @Override
    public synchronized long lastNumber(String writer) {
      return writers.getOrDefault(writer, 0L);
    }

    @Override
    public synchronized int writers() {
      return writers.size();
    }

    synchronized Listing.Listed listed() {
      return tree == null
          ? new Listing.Listed(id, false, start.text(), null, entries, 0)
          : new Listing.Listed(id, true, start.text(), end.text(), 0, tree.bytes());
    }

    /** Null unless it is complete, or is not, and nothing was appended for that long. */
    synchronized Seen quietFor(Duration time, boolean complete) {
      boolean quiet = clock.millis() - appendedMillis >= time.toMillis();
      return quiet && start != null && (tree != null) == complete ? new Seen(id, version()) : null;
    }

    @Override
    public synchronized String version() {
      return tree != null ? tree.tag() : start != null ? version : null;
    }

    @Override
    public synchronized Batch.Bound latest() {
      return buffer.latest(start);
    }

    @Override
    public void append(Append append) {
      boolean stored = store(append);
      answers.execute(
          () -> {
            if (stored) {
              append.answer().stored();
            } else {
              append.answer().outdated();
            }
            append.answer().flush();
          });
    }

    private synchronized boolean store(Append append) {
      if (append.expected() != sequence) {
        return false;
      }
      if (!append.changes()) {
        return true;
      }
      sequence++;
      if (append.kind() == Append.Kind.DELETION) {
        open.addAndGet(tree == null ? -1 : 0);
        sessions.remove(id, this);
        start = null;
        tree = null;
        return true;
      }
      Batch batch = append.batch();
      entries += append.entries();
      appendedMillis = clock.millis();
      version = "m" + versions.incrementAndGet();
      if (append.keepsStart()) {
        start = batch.start();
        sessions.put(id, this);
        open.incrementAndGet();
      }
      if (append.writer() != null) {
        writers.put(append.writer(), append.number());
      }
      buffer.add(batch.children(), batch.count());
      if (batch.end() != null) {
        finish(batch.end(), append.kind() == Append.Kind.ABANDONMENT);
      }
      return true;
    }

    private void finish(Batch.Bound at, boolean abandoned) {
      end = at;
      try {
        tree = new MemoryTree(json(buffer, start, at, abandoned), version);
      } catch (IOException e) {
        throw new AssertionError("memory does no I/O", e);
      }
      buffer = new SessionBuffer();
      open.decrementAndGet();
    }

    private static byte[] json(
        SessionBuffer children, Batch.Bound start, Batch.Bound end, boolean abandoned)
        throws IOException {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      TreeWriter writer =
          new TreeWriter(out, children.count(), children.bytes(), start, end, abandoned);
      for (Cursor child = children.sorted(); child.next(); ) {
        writer.child(child.array(), child.offset(), child.length());
      }
      writer.finish();
      return out.toByteArray();
    }

    synchronized Optional<PartialTree> partial() throws IOException {
      if (start == null || tree != null) {
        return Optional.empty();
      }
      MemoryTree soFar = new MemoryTree(json(buffer, start, null, false), version);
      return Optional.of(new PartialTree(soFar, entries, buffer.count()));
    }

    @Override
    public synchronized Cursor since(long children) {
      if (tree != null || children > buffer.count()) {
        return null;
      }
      return SessionBuffer.snapshot(List.of(buffer)).since(children);
    }
  }
}
