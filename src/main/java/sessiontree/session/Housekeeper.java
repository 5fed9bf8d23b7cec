package sessiontree.session;

import io.prometheus.metrics.core.metrics.Counter;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.ProblemException;
import sessiontree.store.DaemonThreads;
import sessiontree.store.Expirable;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.SessionStore;

/**
 * A background task that ends sessions to which nothing is appended any more, and deletes those
 * that completed long ago, some seconds after they are due. Both are ordinary appends, made only if
 * the session is unchanged since it was found to be due: so no client can come between.
 */
public final class Housekeeper implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Housekeeper.class);
  private static final long ROUND_SECONDS = 2;

  /** Maximum number of sessions handled at a time. */
  private static final int AT_A_TIME = 1_000;

  /** Null only if there is nothing to do. */
  private final Expirable store;

  private final Sessions sessions;
  private final Duration abandonAfter;
  private final Duration deleteAfter;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("housekeeper"));

  private Housekeeper(
      Expirable store, Sessions sessions, Duration abandonAfter, Duration deleteAfter) {
    this.store = store;
    this.sessions = sessions;
    this.abandonAfter = abandonAfter;
    this.deleteAfter = deleteAfter;
  }

  /**
   * Starts the housekeeper's thread.
   *
   * @param abandonAfter how long after its last message an open session is ended, counting only
   *     time in which the server runs; null for never
   * @param deleteAfter how long after its completion a session is deleted, counted likewise; null
   *     for never
   * @throws IOException if either is given, and the store is not {@link Expirable}
   */
  public static Housekeeper start(
      SessionStore store, Sessions sessions, Duration abandonAfter, Duration deleteAfter)
      throws IOException {
    boolean works = abandonAfter != null || deleteAfter != null;
    Expirable expirable = store instanceof Expirable one ? one : null;
    if (works && expirable == null) {
      throw new IOException("the store does not support --abandon-after and --delete-after");
    }
    Housekeeper housekeeper = new Housekeeper(expirable, sessions, abandonAfter, deleteAfter);
    if (works) {
      ScheduledFuture<?> unused =
          housekeeper.thread.scheduleWithFixedDelay(
              DaemonThreads.vital(housekeeper::round),
              ROUND_SECONDS,
              ROUND_SECONDS,
              TimeUnit.SECONDS);
    }
    return housekeeper;
  }

  private void round() {
    try {
      if (!store.housekeeps()) {
        return;
      }
      if (abandonAfter != null) {
        Counter abandoned = sessions.metrics().sessionsAbandoned;
        while (each(store.idle(abandonAfter, AT_A_TIME), Session::abandon, abandoned, "abandoned")
            == AT_A_TIME) {}
      }
      if (deleteAfter != null) {
        Counter expired = sessions.metrics().sessionsExpired;
        while (each(store.completeFor(deleteAfter, AT_A_TIME), Session::delete, expired, "expired")
            == AT_A_TIME) {}
      }
    } catch (IOException | RuntimeException e) {
      LOG.warn("housekeeping round failed; it will be tried again: {}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the server stops
    }
  }

  private interface Action {
    void on(Session session, String version, Reply reply);
  }

  /**
   * Runs an action on each session, waits for all results, and returns how many succeeded.
   *
   * @param what what the log says of a session on which the action succeeded
   */
  private int each(List<Seen> seen, Action action, Counter counter, String what)
      throws InterruptedException {
    Semaphore known = new Semaphore(0);
    AtomicInteger done = new AtomicInteger();
    int asked = 0;
    for (Seen one : seen) {
      Session session;
      try {
        session = sessions.acquire(one.id());
      } catch (IOException | ProblemException e) { // goes on with the others
        LOG.warn(
            "session={} cannot be ended or deleted; it will be tried again: {}",
            one.id(),
            e.toString());
        continue;
      }
      asked++;
      action.on(
          session,
          one.version(),
          new Reply() {
            @Override
            public void stored(int messages, long entries, boolean complete) {
              done.incrementAndGet();
              counter.inc();
              LOG.info("session={} {}", one.id(), what);
            }

            @Override
            public void refused(ProblemException problem) {
              LOG.debug("session={} is not ended or deleted: {}", one.id(), problem.detail());
            }

            @Override
            public void flush() {
              sessions.release(session);
              known.release();
            }
          });
    }
    known.acquire(asked);
    return done.get();
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
