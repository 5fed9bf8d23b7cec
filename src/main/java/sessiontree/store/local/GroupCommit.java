package sessiontree.store.local;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.DaemonThreads;
import sessiontree.store.log.WriteAheadLog;

/**
 * The log thread. It takes all queued appends as one group, writes them to the log, forces the log
 * once, and only then changes sessions and runs callbacks. Appends queued meanwhile form the next
 * group. It waits for room in memory before each group, whose size is limited to a part of that
 * memory. A group that cannot be stored changes nothing, and is refused.
 */
final class GroupCommit {
  private static final Logger LOG = LoggerFactory.getLogger(GroupCommit.class);

  /** Maximum number of callbacks that the log thread runs itself: waking a thread costs more. */
  private static final int FEW_CALLBACKS = 8;

  /** The effects of durable records. */
  interface Effects {
    /**
     * Applies a record to its session. Called by the log thread, in log order. Returns by how many
     * bytes the session's memory grew.
     */
    long apply(LocalSession session, LogRecord record);

    /**
     * Runs the callback of a durable record. If the record ends or deletes the session, its tree is
     * published or removed first. Also runs the callbacks that waited for that.
     */
    void finish(LocalSession session, LogRecord record, Append.Callback callback);
  }

  private final WriteAheadLog log;
  private final Checkpointer checkpointer;
  private final RunningTime running;
  private final long maxGroupBytes;
  private final Duration retry;
  private final Callbacks callbacks;
  private final Effects effects;
  private final Metrics metrics;
  private final Thread thread = DaemonThreads.named("log").newThread(this::takeGroups);

  private final Object queueLock = new Object();

  // Guarded by queueLock.
  private List<Queued> queue = new ArrayList<>();
  private long queueBytes; // of children
  private boolean closing;

  /** Whether the last group could not be written. Set by the log thread. */
  private volatile boolean failing;

  /** Whether the log has disappeared from its place. */
  private final AtomicBoolean gone = new AtomicBoolean();

  /** Whether the active segment is to be sealed before the next group. */
  private volatile boolean sealAsked;

  /** An append, in the queue and then in a group. */
  private static final class Queued {
    private final LocalSession session;
    private final Append append;

    /** Null if nothing is stored for the append. */
    private LogRecord record;

    private boolean accepted;
    private boolean called;

    Queued(LocalSession session, Append append) {
      this.session = session;
      this.append = append;
    }

    boolean isStored() {
      return accepted && record != null;
    }

    /** Returns whether the result waits until the tree can be read or, if deleted, is removed. */
    boolean awaitsTree() {
      return isStored() && (record.end() != null || record.type() == LogRecord.Type.DELETION);
    }
  }

  GroupCommit(
      WriteAheadLog log,
      Checkpointer checkpointer,
      RunningTime running,
      long maxGroupBytes,
      Duration retry,
      Callbacks callbacks,
      Effects effects,
      Metrics metrics) {
    this.log = log;
    this.checkpointer = checkpointer;
    this.running = running;
    this.maxGroupBytes = maxGroupBytes;
    this.retry = retry;
    this.callbacks = callbacks;
    this.effects = effects;
    this.metrics = metrics;
  }

  void start() {
    thread.start();
  }

  /** Returns whether the last group could not be written, or the log is not in its place. */
  boolean isFailing() {
    return failing || gone.get();
  }

  /**
   * Returns whether the log is still in its place: what is written elsewhere is not durable. Safe
   * for any thread, even if there is nothing to store.
   */
  boolean checkInPlace() {
    boolean inPlace = log.isInPlace();
    if (gone.compareAndSet(inPlace, !inPlace)) {
      if (inPlace) {
        LOG.info("the log is in its place again");
      } else {
        LOG.error(
            "the store's folder or its log was removed; messages are refused until it is back");
      }
    }
    return inPlace;
  }

  void queue(LocalSession session, Append append) {
    synchronized (queueLock) {
      if (queue.isEmpty()) {
        queueLock.notifyAll();
      }
      queue.add(new Queued(session, append));
      queueBytes += bytes(append);
    }
  }

  /** Requests that the active segment be sealed, unless it is empty. */
  void seal() {
    synchronized (queueLock) {
      sealAsked = true;
      queueLock.notifyAll();
    }
  }

  private void takeGroups() {
    while (true) {
      List<Queued> group;
      synchronized (queueLock) {
        while (queue.isEmpty() && !closing && !failing && !sealAsked) {
          DaemonThreads.await(queueLock, 0);
        }
        if (queue.isEmpty() && !closing && failing) { // then a probe is written
          DaemonThreads.await(queueLock, retry.toMillis());
        }
        if (queue.isEmpty() && closing) {
          return;
        }
        group = nextGroup();
      }
      take(group);
    }
  }

  /**
   * Takes the next group from the queue: all of it, or the appends within the bound and at least
   * one, as there may be no memory for more. Guarded by queueLock.
   */
  private List<Queued> nextGroup() {
    List<Queued> group = queue;
    queue = new ArrayList<>();
    if (queueBytes <= maxGroupBytes) {
      queueBytes = 0;
      return group;
    }
    long bytes = 0;
    int size = 0;
    while (size < group.size()) {
      bytes += bytes(group.get(size).append);
      if (size > 0 && bytes > maxGroupBytes) {
        bytes -= bytes(group.get(size).append);
        break;
      }
      size++;
    }
    queueBytes -= bytes;
    queue.addAll(group.subList(size, group.size()));
    return new ArrayList<>(group.subList(0, size)); // a copy, which does not retain the rest
  }

  private static long bytes(Append append) {
    return append.batch() == null ? 0 : append.batch().children().length;
  }

  private void take(List<Queued> group) {
    if (!checkpointer.awaitRoom() || !checkInPlace()) {
      refuse(group);
    } else {
      try {
        store(group);
      } catch (IOException | RuntimeException e) {
        if (!fail(group, e)) {
          return;
        }
      }
    }
    long grown = 0;
    for (Queued queued : group) {
      if (queued.isStored()) {
        grown += effects.apply(queued.session, queued.record);
      }
    }
    checkpointer.addMemory(grown);
    if (group.size() <= FEW_CALLBACKS && isQueueEmpty()) {
      callbacks.runHere(() -> callBack(group));
    } else { // the next group does not wait for them
      callbacks.run(() -> callBack(group));
    }
    for (Queued queued : group) {
      if (queued.awaitsTree()) {
        effects.finish(queued.session, queued.record, queued.append.callback());
      }
    }
  }

  private boolean isQueueEmpty() {
    synchronized (queueLock) {
      return queue.isEmpty();
    }
  }

  /** Makes durable the appends of a group whose expected sequence is that of their session. */
  private void store(List<Queued> group) throws IOException {
    boolean written = false;
    long millis = running.millis();
    if (sealAsked) {
      log.seal();
      sealAsked = false;
    }
    for (Queued queued : group) {
      Append append = queued.append;
      queued.accepted = append.expected() == queued.session.expected;
      if (queued.accepted && append.changes()) {
        queued.record = record(queued.session.id(), append, millis);
        queued.session.expected++;
        log.add(queued.record);
        written = true;
      }
    }
    if (failing && !written) {
      log.add(LogRecord.probe(log.nextLsn(), millis));
      written = true;
    }
    if (written) {
      long began = System.nanoTime();
      log.commit();
      metrics.forceSeconds.observe((System.nanoTime() - began) / 1e9);
      if (failing) {
        LOG.info("the log can be written again");
      }
      failing = false;
    }
  }

  private LogRecord record(String id, Append append, long millis) {
    if (append.kind() == Append.Kind.DELETION) {
      return LogRecord.deletion(log.nextLsn(), millis, id, append.expected());
    }
    long micros = append.keepsStart() || append.ends() ? running.epochMicros() : 0;
    return new LogRecord(
        LogRecord.Type.APPEND,
        log.nextLsn(),
        millis,
        id,
        append.expected(),
        append.writer() == null ? "" : append.writer(),
        append.number(),
        append.keepsStart() ? new Begin(append.batch().start(), micros) : null,
        append.ends() ? end(append, micros) : null,
        append.batch().count(),
        append.batch().children());
  }

  private static End end(Append append, long micros) {
    return new End(append.batch().end(), micros, append.kind() == Append.Kind.ABANDONMENT);
  }

  /** Handles a failure to store a group. Returns whether the group's results can be given. */
  private boolean fail(List<Queued> group, Exception cause) {
    if (!failing) {
      LOG.error(
          "the log cannot be written; appends are refused until it can be: {}", cause.toString());
    }
    failing = true;
    log.rollback();
    refuse(group);
    return cutBack();
  }

  /** Refuses a group that cannot be stored, except for appends that need no log. */
  private static void refuse(List<Queued> group) {
    for (Queued queued : group) {
      queued.session.resetExpected();
    }
    for (Queued queued : group) { // an append that changes nothing needs no log
      queued.accepted =
          !queued.append.changes() && queued.append.expected() == queued.session.expected;
      queued.record = null;
    }
  }

  /**
   * Cuts off what a failed group may have left in the log. The group's results are given only after
   * that: a crash could otherwise bring back appends that were refused and sent again. So while the
   * disk does not allow even this, the senders wait. Returns false if the store is closed
   * meanwhile.
   */
  private boolean cutBack() {
    while (true) {
      try {
        log.cutBack();
        return true;
      } catch (IOException e) {
        LOG.debug("the log's tail cannot be cut back", e);
      }
      synchronized (queueLock) {
        if (closing) {
          return false;
        }
        DaemonThreads.await(queueLock, retry.toMillis());
      }
    }
  }

  /**
   * Runs a group's callbacks. Once a session has ended or was deleted, its callbacks are held, in
   * order, until the tree can be read or is removed.
   */
  private static void callBack(List<Queued> group) {
    for (Queued queued : group) {
      if (queued.awaitsTree()) {
        queued.session.callbacks.begin(queued.append.callback());
      } else if (queued.session.callbacks.areHeld()) {
        queued.session.callbacks.add(queued.append.callback(), queued.accepted);
      } else {
        callBack(queued);
        queued.called = true;
      }
    }
    for (Queued queued : group) {
      if (queued.called) {
        Callbacks.guard(queued.append.callback()::flush);
      }
    }
  }

  private static void callBack(Queued queued) {
    Append.Callback callback = queued.append.callback();
    Callbacks.guard(queued.accepted ? callback::stored : callback::failed);
  }

  /** Stores what is queued, gives the results, and ends the thread. */
  void close() throws InterruptedException {
    synchronized (queueLock) {
      closing = true;
      queueLock.notifyAll();
    }
    thread.join();
  }
}
