package sessiontree.web;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.RunningClock;

/**
 * Changes sessions for HTTP requests, and gives each request an outcome within about ten seconds,
 * whatever the disk does. A later reply is dropped. Safe for several threads.
 */
final class PendingWrites {
  private static final Logger LOG = LoggerFactory.getLogger(PendingWrites.class);
  private static final long TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** Shorter than the server waits for responses while it stops. */
  private static final long CLOSING_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(3);

  private final Sessions sessions;
  private final Executor executor;
  private final RunningClock time;
  private final Set<PendingWrite> waiting = ConcurrentHashMap.newKeySet();
  private volatile long timeoutNanos = TIMEOUT_NANOS;

  /**
   * For each session, a POST whose reply did not come in time. Until the reply comes, the session
   * takes no further POSTs, as clients that keep retrying would otherwise fill the memory.
   */
  private final ConcurrentHashMap<String, PendingWrite> late = new ConcurrentHashMap<>();

  /**
   * Creates an instance that changes {@code sessions}.
   *
   * @param executor completes futures, as the thread that delivers a reply must not wait for a
   *     client
   */
  PendingWrites(Sessions sessions, Executor executor, RunningClock time) {
    this.sessions = sessions;
    this.executor = executor;
    this.time = time;
  }

  /**
   * The outcome of a request.
   *
   * @param problem why the request was refused, or what is known of it so far; null if it succeeded
   */
  record Outcome(long entries, boolean complete, ProblemException problem) {}

  /**
   * Stores a message. If the session is deleted meanwhile, the message is submitted again, to the
   * next session of that id.
   *
   * @param waitedNanos how long the message has waited for room among the in-flight bytes; at most
   *     half of the time limit is counted, so that a disk that is well has time to respond
   */
  CompletableFuture<Outcome> post(String id, String writer, Message message, long waitedNanos)
      throws ProblemException {
    PendingWrite before = late.get(id);
    if (before != null) {
      throw before.refusal();
    }
    return postSince(time.nanos() - Math.min(waitedNanos, TIMEOUT_NANOS / 2), id, writer, message);
  }

  private CompletableFuture<Outcome> postSince(
      long sinceNanos, String id, String writer, Message message) throws ProblemException {
    Session session = acquire(id, "the message was not stored: the session cannot be read");
    PendingWrite write = new PendingWrite(session, false, sinceNanos);
    waiting.add(write);
    write.session.submit(writer, true, List.of(message), write);
    return write.settled.thenCompose(
        unused -> {
          Outcome outcome = write.outcome();
          if (outcome.problem != null && outcome.problem.problem() == Problem.SESSION_DELETED) {
            try {
              return postSince(sinceNanos, id, writer, message);
            } catch (ProblemException e) {
              return CompletableFuture.failedFuture(e);
            }
          }
          return CompletableFuture.completedFuture(outcome);
        });
  }

  /**
   * Deletes a session.
   *
   * @param expectedTag the tag that its tree must have; null to delete it with or without a tree
   */
  CompletableFuture<Outcome> delete(String id, String expectedTag) throws ProblemException {
    Session session = acquire(id, "the session was not deleted: it cannot be read");
    PendingWrite write = new PendingWrite(session, true, time.nanos());
    waiting.add(write);
    write.session.delete(expectedTag, write);
    return write.settled.thenApply(unused -> write.outcome());
  }

  private Session acquire(String id, String unreadable) throws ProblemException {
    try {
      return sessions.acquire(id);
    } catch (IOException e) {
      LOG.error("session={} cannot be read: {}", id, e.toString());
      throw unavailable(unreadable);
    }
  }

  /** Gives requests their outcomes within about three seconds from now on. */
  void shutDown() {
    timeoutNanos = CLOSING_TIMEOUT_NANOS;
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    for (PendingWrite write : waiting) {
      if (nowNanos - write.sinceNanos > timeoutNanos) {
        write.settle();
      }
    }
  }

  /** A request that awaits its session's reply. */
  private final class PendingWrite implements Reply {
    private final Session session;
    private final boolean deletion;
    private final long sinceNanos;
    private final CompletableFuture<Void> settled = new CompletableFuture<>();

    // All guarded by this.
    private long entries;
    private boolean complete;
    private ProblemException problem;
    private boolean held; // the result is durable, but the reply has not come yet
    private boolean replied;

    PendingWrite(Session session, boolean deletion, long sinceNanos) {
      this.session = session;
      this.deletion = deletion;
      this.sinceNanos = sinceNanos;
    }

    @Override
    public synchronized void stored(int messages, long entries, boolean complete) {
      this.entries = entries;
      this.complete = complete;
    }

    @Override
    public synchronized void refused(ProblemException problem) {
      this.problem = problem;
    }

    @Override
    public synchronized void storedAwaitingTree(ProblemException problem) {
      this.held = true;
      this.problem = problem;
    }

    @Override
    public void flush() {
      sessions.release(session);
      synchronized (this) {
        replied = true;
      }
      late.remove(session.id(), this);
      settle();
    }

    /** Completes the request. Not on this thread, for which other replies wait. */
    void settle() {
      waiting.remove(this);
      executor.execute(() -> settled.complete(null));
    }

    /** Returns the outcome, or what is known of it so far. */
    synchronized Outcome outcome() {
      if (replied) {
        return new Outcome(entries, complete, problem);
      }
      if (!deletion) {
        late.put(session.id(), this); // locked, so that flush() cannot remove it before this
      }
      return new Outcome(0, false, problemAtTimeout());
    }

    private ProblemException problemAtTimeout() {
      if (problem != null) {
        return problem.problem() == Problem.SESSION_DELETED
            ? unavailable("the message was not stored: the session is still being deleted")
            : problem;
      }
      if (deletion) {
        return unavailable(
            held
                ? "the deletion is stored, and what the session had is still being removed"
                : "it is not known whether the session is deleted: the disk has not responded");
      }
      return unavailable(
          held
              ? "SESSION_END is stored, and the tree is still being made"
              : "it is not known whether the message is stored: the disk has not responded;"
                  + " with writer and message it may be sent again");
    }

    /** Returns the problem for clients that send more to the session. */
    synchronized ProblemException refusal() {
      return unavailable(
          held && problem == null
              ? "the message was not stored: SESSION_END is already stored, and the tree is still"
                  + " being made"
              : "the message was not stored: an earlier one still waits for the disk");
    }
  }

  private static ProblemException unavailable(String detail) {
    return new ProblemException(Problem.STORAGE_UNAVAILABLE, detail);
  }
}
