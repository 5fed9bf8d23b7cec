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
 * The sessions in use: one {@link Session} for each id, from the first caller that acquires it
 * until the last has released it, or it is deleted. Safe for several threads.
 */
public final class Sessions {
  private final ConcurrentHashMap<String, Use> inUse = new ConcurrentHashMap<>();
  private final SessionStore store;
  private final int maxOpen;
  private final Metrics metrics;

  /**
   * Creates the registry of a store's sessions.
   *
   * @param maxOpen maximum number of open sessions; a few more when many begin at once
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
   * Returns the session of an id; the caller must {@link #release} it. The first caller for an id
   * opens the session, and other callers for that id wait for it; those for other ids do not.
   *
   * @throws ProblemException if the id is not valid
   * @throws IOException if the store cannot read the session; the next caller tries again
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
    } catch (IOException e) { // passed on to the waiting callers
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

  /** Releases a session. A caller with messages in flight releases it after their replies. */
  public void release(Session session) {
    inUse.computeIfPresent(
        session.id(), (id, use) -> use.is(session) && --use.users == 0 ? null : use);
  }

  /** Removes a deleted session: the next caller for its id gets a new one. */
  void forget(Session deleted) {
    inUse.computeIfPresent(deleted.id(), (id, use) -> use.is(deleted) ? null : use);
  }

  /** Notifies the users of a session here that another server has ended or deleted it. */
  public void changed(String id) {
    Use use = inUse.get(id);
    if (use != null) {
      CompletableFuture<Void> unused = use.session.thenAccept(Session::changed);
    }
  }

  /** Returns the stored sessions that somebody watches, as other servers may change them. */
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
    private int users; // changed only in the map's compute methods

    boolean is(Session one) {
      return session.getNow(null) == one;
    }
  }
}
