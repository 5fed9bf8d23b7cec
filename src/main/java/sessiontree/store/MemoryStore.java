package sessiontree.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentNavigableMap;
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
 * A store in memory, for trying things out and for tests: nothing survives the process, and its
 * memory is the only limit. Otherwise it keeps the promises of a {@link SessionStore}.
 */
public final class MemoryStore implements SessionStore, Listable, Expirable {
  private final ConcurrentHashMap<String, MemorySession> sessions = new ConcurrentHashMap<>();

  /** Sessions by the time when they were begun, in microseconds since the UNIX epoch. */
  private final ConcurrentSkipListMap<Long, MemorySession> inOrder = new ConcurrentSkipListMap<>();

  private final AtomicLong lastMicros = new AtomicLong();
  private final AtomicInteger open = new AtomicInteger();

  /** Distinguishes this store's versions from those of an earlier process. */
  private final String versionPrefix =
      "m" + Long.toUnsignedString(new SecureRandom().nextLong(), Character.MAX_RADIX) + ".";

  private final AtomicLong versions = new AtomicLong();
  private final RunningClock clock = new RunningClock(System::nanoTime);
  private final ExecutorService callbacks =
      Executors.newSingleThreadExecutor(DaemonThreads.named("callbacks"));

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
  public Listing list(Listing.Query query) {
    List<Listing.Listed> page = new ArrayList<>();
    for (MemorySession session : range(query).values()) {
      Listing.Listed listed = session.listed();
      if (listed != null && query.takes(listed.complete())) {
        if (page.size() == query.limit()) {
          return new Listing(page, Long.toString(micros(page.get(page.size() - 1).begun())));
        }
        page.add(listed);
      }
    }
    return new Listing(page, null);
  }

  private ConcurrentNavigableMap<Long, MemorySession> range(Listing.Query query) {
    long from = query.since() == null ? Long.MIN_VALUE : micros(query.since());
    long to = query.until() == null ? Long.MAX_VALUE : micros(query.until());
    if (query.after() != null && query.newestFirst()) {
      to = Math.min(to, Long.parseLong(query.after()));
    } else if (query.after() != null) {
      from = Math.max(from, Long.parseLong(query.after()) + 1);
    }
    ConcurrentNavigableMap<Long, MemorySession> range = inOrder.subMap(from, Math.max(from, to));
    return query.newestFirst() ? range.descendingMap() : range;
  }

  private static long micros(Instant time) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, time);
  }

  /** Returns the current time to the microsecond, later at each call. */
  private Instant now() {
    long now = micros(Instant.now());
    return Instant.EPOCH.plus(
        lastMicros.updateAndGet(last -> Math.max(last + 1, now)), ChronoUnit.MICROS);
  }

  @Override
  public List<Seen> idle(Duration time, int limit) {
    return quiet(time, false, limit);
  }

  @Override
  public List<Seen> completeFor(Duration time, int limit) {
    return quiet(time, true, limit);
  }

  private List<Seen> quiet(Duration time, boolean complete, int limit) {
    return sessions.values().stream()
        .map(session -> session.quietFor(time, complete))
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
    callbacks.shutdown();
    try {
      callbacks.awaitTermination(1, TimeUnit.MINUTES);
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
    private Instant begun;
    private Instant completed;
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

    /** Returns what a page has of the session; null if it was deleted. */
    synchronized Listing.Listed listed() {
      if (start == null) {
        return null;
      }
      return tree == null
          ? new Listing.Listed(id, false, begun, null, start.text(), null, entries, 0)
          : new Listing.Listed(
              id, true, begun, completed, start.text(), end.text(), 0, tree.bytes());
    }

    /** Returns null if {@code complete} differs, or something was appended within that time. */
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
      callbacks.execute(
          () -> {
            if (stored) {
              append.callback().stored();
            } else {
              append.callback().failed();
            }
            append.callback().flush();
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
        inOrder.remove(micros(begun));
        start = null;
        tree = null;
        return true;
      }
      Batch batch = append.batch();
      entries += append.entries();
      appendedMillis = clock.millis();
      version = versionPrefix + versions.incrementAndGet();
      if (append.keepsStart()) {
        start = batch.start();
        begun = now();
        sessions.put(id, this);
        inOrder.put(micros(begun), this);
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
      completed = now();
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
