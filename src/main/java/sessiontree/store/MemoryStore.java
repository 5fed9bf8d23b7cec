package sessiontree.store;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import sessiontree.event.Batch;
import sessiontree.event.TreeWriter;
import sessiontree.sort.Cursor;
import sessiontree.sort.SessionBuffer;

/**
 * Keeps sessions in memory, for trying things out and for tests: nothing survives the process, and
 * its memory is the only limit. Otherwise it keeps the promises of a {@link SessionStore}.
 */
public final class MemoryStore implements SessionStore {
  private final ConcurrentHashMap<String, MemorySession> sessions = new ConcurrentHashMap<>();
  private final ExecutorService answers =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "answers");
            thread.setDaemon(true);
            return thread;
          });

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
    byte[] tree = session == null ? null : session.tree;
    return Optional.ofNullable(tree)
        .map(bytes -> new Tree(new ByteArrayInputStream(bytes), bytes.length));
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
    private volatile byte[] tree;

    MemorySession(String id) {
      this.id = id;
    }

    @Override
    public synchronized SessionState state() {
      SessionState.Phase phase =
          tree != null
              ? SessionState.Phase.COMPLETE
              : start != null ? SessionState.Phase.OPEN : SessionState.Phase.NEW;
      return new SessionState(
          phase, sequence, entries, start == null ? 0 : start.key(), Map.copyOf(writers));
    }

    @Override
    public void append(Append append) {
      boolean stored = store(append);
      answers.execute(
          () -> {
            if (stored) {
              append.answer().stored();
            } else {
              append.answer().failed();
            }
            append.answer().flush();
          });
    }

    private synchronized boolean store(Append append) {
      if (append.expected() != sequence) {
        return false;
      }
      Batch batch = append.batch();
      if (batch == null) {
        return true;
      }
      sequence++;
      entries += append.entries();
      if (append.keepsStart()) {
        start = batch.start();
        sessions.put(id, this);
      }
      if (append.writer() != null) {
        writers.put(append.writer(), append.number());
      }
      buffer.add(batch.children(), batch.count());
      if (batch.end() != null) {
        finish(batch.end());
      }
      return true;
    }

    private void finish(Batch.Bound end) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      try {
        TreeWriter writer = new TreeWriter(out, buffer.bytes(), start, end, false);
        for (Cursor child = buffer.sorted(); child.next(); ) {
          writer.child(child.array(), child.offset(), child.length());
        }
        writer.finish();
      } catch (IOException e) {
        throw new AssertionError("memory does no I/O", e);
      }
      tree = out.toByteArray();
      buffer = new SessionBuffer();
    }
  }
}
