package sessiontree.store.postgres;

import io.prometheus.metrics.core.metrics.Histogram;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.sort.ExternalSort;
import sessiontree.store.DaemonThreads;

/**
 * Makes the trees of ended sessions: one thread publishes many small trees by one statement,
 * another writes large ones part by part. Whatever fails is retried. Two servers may finish the
 * same session, with the same effect: its entries do not change, and its row becomes complete once.
 * Sessions that fail together are retried one by one, so that none waits for a damaged one.
 */
final class Finisher {
  private static final Logger LOG = LoggerFactory.getLogger(Finisher.class);
  private static final int MOST = 500;
  private static final int RETRY_MILLIS = 1_000;
  private static final long RETRY_NANOS = RETRY_MILLIS * 1_000_000L;

  /** A session that has ended. */
  record Ended(String id, long born) {}

  private final Connections connections;
  private final Path folder;
  private final long memoryBytes;
  private final long smallBytes;
  private final Awaiting awaiting;
  private final Follower follower;
  private final AtomicInteger openSessions;
  private final Histogram seconds;
  private final Thread smallThread = DaemonThreads.named("finisher").newThread(() -> work(false));
  private final Thread heavyThread =
      DaemonThreads.named("heavy finisher").newThread(() -> work(true));

  // All guarded by this.
  private final Set<Ended> queue = new LinkedHashSet<>();
  private final Set<Ended> large = new LinkedHashSet<>(); // a session that fails goes last
  private final Set<Ended> working = new HashSet<>();
  private final Set<Ended> suspects = new LinkedHashSet<>(); // a batch failed: taken one by one
  private final Map<Ended, Long> failed =
      new HashMap<>(); // alone, logged: nanoTime of the last failure
  private boolean closing;

  Finisher(
      Connections connections,
      PostgresStore.Options options,
      Awaiting awaiting,
      Follower follower,
      AtomicInteger openSessions,
      Histogram seconds) {
    this.connections = connections;
    this.folder = options.folder();
    this.memoryBytes = options.memoryBytes();
    this.smallBytes = options.smallBytes();
    this.awaiting = awaiting;
    this.follower = follower;
    this.openSessions = openSessions;
    this.seconds = seconds;
  }

  void start() {
    smallThread.start();
    heavyThread.start();
  }

  synchronized void add(Ended ended) {
    boolean known = working.contains(ended) || large.contains(ended) || suspects.contains(ended);
    if (!known && queue.add(ended)) {
      notifyAll();
    }
  }

  /** Returns the sessions whose trees this server makes or will make. */
  synchronized List<Ended> claimed() {
    List<Ended> all = new ArrayList<>(queue);
    all.addAll(suspects);
    all.addAll(large);
    all.addAll(working);
    return all;
  }

  private void work(boolean heavy) {
    while (true) {
      List<Ended> taken;
      synchronized (this) {
        Set<Ended> from = heavy ? large : suspects.isEmpty() ? queue : suspects;
        List<Ended> due = due(from);
        try {
          while (due.isEmpty() && !closing) {
            wait(from.isEmpty() ? 0 : RETRY_MILLIS);
            from = heavy ? large : suspects.isEmpty() ? queue : suspects;
            due = due(from);
          }
        } catch (InterruptedException e) {
          return; // closed before all was done
        }
        if (due.isEmpty()) {
          return;
        }
        taken = due.subList(0, Math.min(due.size(), from == queue ? MOST : 1));
        taken.forEach(from::remove);
        working.addAll(taken);
      }
      if (!tryFinish(taken, heavy)) {
        return;
      }
    }
  }

  /**
   * Returns the sessions to take now: first those that never failed alone, none of those that did
   * in the last second.
   */
  private List<Ended> due(Set<Ended> from) {
    long now = System.nanoTime();
    return from.stream()
        .filter(one -> now - failed.getOrDefault(one, now - RETRY_NANOS) >= RETRY_NANOS)
        .sorted(Comparator.comparing(failed::containsKey))
        .toList();
  }

  /** Returns false if the thread must end: if interrupted, or on a failure while closing. */
  private boolean tryFinish(List<Ended> taken, boolean heavy) {
    boolean done = false;
    try {
      if (heavy) {
        finishLarge(taken.get(0));
      } else {
        finish(taken);
      }
      done = true;
    } catch (SQLException | IOException | RuntimeException e) {
      logFailure(taken, e);
      if (isOutage(e) && !pause()) {
        return false;
      }
    }
    synchronized (this) {
      taken.forEach(working::remove);
      if (done) {
        failed.keySet().removeAll(taken);
      } else if (heavy || taken.size() == 1) {
        large.addAll(taken); // so that the small ones do not wait for it
        notifyAll();
      } else {
        suspects.addAll(taken);
      }
      return done || !closing;
    }
  }

  /** Returns whether the database may be at fault, so that other sessions would fail too. */
  private static boolean isOutage(Exception failure) {
    Throwable cause = failure instanceof SQLException ? failure : failure.getCause();
    return cause instanceof SQLException sql && Connections.isLost(sql);
  }

  /** Waits until the next attempt. Returns false if interrupted. */
  private static boolean pause() {
    try {
      Thread.sleep(RETRY_MILLIS);
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  /**
   * Logs a failure. That of a session alone is logged once, although it is retried every second.
   */
  private void logFailure(List<Ended> taken, Exception e) {
    if (taken.size() > 1) {
      LOG.warn("writing {} trees failed, retrying one by one: {}", taken.size(), e.toString());
    } else if (failsAnew(taken.get(0))) {
      String id = taken.get(0).id();
      LOG.error("session={} writing its tree failed, retrying every second: {}", id, e.toString());
    }
  }

  /** Registers that a session failed alone. Returns whether its last attempt did not. */
  private synchronized boolean failsAnew(Ended ended) {
    return failed.put(ended, System.nanoTime()) == null;
  }

  // --- Small sessions

  private void finish(List<Ended> taken) throws SQLException, IOException {
    Map<Long, Unfinished> batch = new LinkedHashMap<>();
    long bytes = 0;
    for (Unfinished one : connections.run(connection -> read(connection, taken))) {
      if (one.bytes() > smallBytes) {
        addLarge(one.ended());
        continue;
      }
      if (bytes + one.bytes() > smallBytes) {
        finishSmall(batch);
        batch.clear();
        bytes = 0;
      }
      batch.put(one.born(), one);
      bytes += one.bytes();
    }
    finishSmall(batch);
  }

  private synchronized void addLarge(Ended ended) {
    large.add(ended);
    notifyAll();
  }

  /** Reads the rows of those sessions that have ended and have no tree. */
  private static List<Unfinished> read(Connection connection, Collection<Ended> taken)
      throws SQLException {
    List<Unfinished> rows = Unfinished.read(connection, taken.stream().map(Ended::id).toList());
    rows.removeIf(row -> row.end() == null); // its id was used anew
    return rows;
  }

  private void finishSmall(Map<Long, Unfinished> batch) throws IOException {
    if (batch.isEmpty()) {
      return;
    }
    long began = System.nanoTime();
    Set<Long> done = connections.run(connection -> publish(connection, batch));
    completed(
        batch.values().stream()
            .filter(one -> done.contains(one.born()))
            .map(Unfinished::ended)
            .toList(),
        System.nanoTime() - began);
  }

  private Set<Long> publish(Connection connection, Map<Long, Unfinished> batch)
      throws SQLException, IOException {
    Map<Long, List<EntryReader.Chunk>> chunks = new HashMap<>();
    Sql.query(
        connection,
        "SELECT born, count, children FROM sessiontree.entry WHERE born = ANY (?)"
            + " ORDER BY born, seq",
        row ->
            chunks
                .computeIfAbsent(row.getLong(1), born -> new ArrayList<>(1))
                .add(new EntryReader.Chunk(0, row.getInt(2), row.getBytes(3))),
        Sql.numbers(batch.keySet()));
    Publication publication = new Publication();
    for (Unfinished one : batch.values()) {
      ExternalSort sort = new ExternalSort(folder, Long.MAX_VALUE);
      for (EntryReader.Chunk chunk : chunks.getOrDefault(one.born(), List.of())) {
        sort.add(chunk.children(), chunk.count());
      }
      if (sort.count() != one.children()) { // some are missing, unless another server was faster
        addLarge(one.ended()); // the heavy thread finds out, and retries
      } else {
        ByteArrayOutputStream tree = new ByteArrayOutputStream();
        Entries.write(sort, tree, one.start(), one.end(), one.abandoned());
        publication.add(one.ended(), tree.toByteArray());
      }
    }
    return publication.publish(connection);
  }

  // --- Large sessions

  private void finishLarge(Ended ended) throws SQLException, IOException {
    long began = System.nanoTime();
    Unfinished one = Sql.first(connections.run(connection -> read(connection, List.of(ended))));
    if (one == null || one.born() != ended.born) {
      return;
    }
    EntryReader entries = new EntryReader(connections, ended.born, 0, one.children());
    try (ExternalSort sort = Entries.sort(entries, folder, memoryBytes);
        Connection connection = connections.connect();
        PartWriter parts = new PartWriter(connection, ended)) {
      Entries.write(sort, parts, one.start(), one.end(), one.abandoned());
      if (parts.publish()) {
        completed(List.of(ended), System.nanoTime() - began);
      }
    }
  }

  private void completed(List<Ended> sessions, long nanos) {
    openSessions.addAndGet(-sessions.size()); // before the results
    sessions.forEach(one -> awaiting.completed(one.id, one.born));
    follower.publish(sessions.stream().map(Ended::id).toList());
    seconds.observe(nanos / 1e9);
  }

  /** Stops the finisher after making as many of the queued trees as possible within the time. */
  void close(long millis) throws InterruptedException {
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    long deadline = System.nanoTime() + millis * 1_000_000;
    for (Thread thread : List.of(smallThread, heavyThread)) {
      thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
      thread.interrupt();
    }
  }
}
