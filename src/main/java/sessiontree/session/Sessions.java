package sessiontree.session;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.store.SessionStore;
import sessiontree.store.SessionStore.StoredSession;

/**
 * The sessions in use: one {@link Session} for an id, from the first user that asks for it until
 * the last has done, or it is deleted. Safe for several threads.
 */
public final class Sessions {
  private final ConcurrentHashMap<String, Use> inUse = new ConcurrentHashMap<>();
  private final SessionStore store;
  private final int maxOpen;
  private final Metrics metrics;

  /**
   * The sessions of a store.
   *
   * @param maxOpen how many may be open; a few more are, when many begin at once
   */
  public Sessions(SessionStore store, int maxOpen, Metrics metrics) {
    this.store = store;
    this.maxOpen = maxOpen;
    this.metrics = metrics;
    metrics.gauge("sessions_open", "Sessions that are open.", store::openSessions);
    metrics.gauge("sessions_open_limit", "Sessions that may be open.", () -> maxOpen);
  }

  Metrics metrics() {
    return metrics;
  }

  /**
   * The session of that id; to be given back by {@link #release}. The first caller that asks for it
   * opens it, and others of that id wait for that; those of other ids do not.
   *
   * @throws ProblemException if the id is not valid
   * @throws IOException if the store cannot read what it has of it; the next caller tries anew
   */
  public Session acquire(String id) throws ProblemException, IOException {
    SessionId.check(id);
    Use opening = new Use();
    Use use =
        inUse.compute(
            id,
            (unused, present) -> {
              Use one = present == null ? opening : present;
              one.users++;
              return one;
            });
    if (use == opening) {
      open(id, use);
    }
    try {
      return use.session.join();
    } catch (CompletionException e) {
      throw new IOException(e.getCause().getMessage(), e.getCause());
    }
  }

  private void open(String id, Use use) {
    try {
      use.session.complete(new Session(id, store.open(id), this));
    } catch (IOException e) { // passed on to those that wait
      fail(id, use, e);
    } catch (RuntimeException | Error e) {
      fail(id, use, e);
      throw e;
    }
  }

  private void fail(String id, Use use, Throwable cause) {
    inUse.remove(id, use);
    use.session.completeExceptionally(cause);
  }

  /** A caller with messages under way releases the session after their replies. */
  public void release(Session session) {
    inUse.computeIfPresent(
        session.id(), (id, use) -> use.is(session) && --use.users == 0 ? null : use);
  }

  /** The next caller that asks for its id gets another. */
  void forget(Session deleted) {
    inUse.computeIfPresent(deleted.id(), (id, use) -> use.is(deleted) ? null : use);
  }

  /** Another server has ended or deleted that session: its users here are notified. */
  public void changed(String id) {
    Use use = inUse.get(id);
    if (use != null) {
      CompletableFuture<Void> unused = use.session.thenAccept(Session::changed);
    }
  }

  /** What is stored of the sessions that somebody watches: others may change it. */
  public List<StoredSession> watched() {
    List<StoredSession> watched = new ArrayList<>();
    for (Use use : inUse.values()) {
      Session session = use.session.isCompletedExceptionally() ? null : use.session.getNow(null);
      StoredSession stored = session == null ? null : session.watched();
      if (stored != null) {
        watched.add(stored);
      }
    }
    return watched;
  }

  boolean areTooMany() {
    return store.openSessions() >= maxOpen;
  }

  /** A session that somebody uses, or waits for. */
  private static final class Use {
    private final CompletableFuture<Session> session = new CompletableFuture<>();
    private int users; // guarded by the map

    boolean is(Session one) {
      return session.getNow(null) == one;
    }
  }
}
