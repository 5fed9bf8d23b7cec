package sessiontree.session;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.ConcurrentHashMap;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.metrics.Metrics;
import sessiontree.store.SessionStore;

/**
 * The sessions in use: one {@link Session} for an id, from the first who asks for it until the last
 * has done, or it is deleted. Safe for several threads.
 */
public final class Sessions {
  private final ConcurrentHashMap<String, Session> inUse = new ConcurrentHashMap<>();
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
   * The session of that id; to be given back by {@link #release}.
   *
   * @throws ProblemException if the id is not valid
   * @throws IOException if the store cannot read what it has of it
   */
  public Session acquire(String id) throws ProblemException, IOException {
    SessionId.check(id);
    try {
      return inUse.compute(id, this::used);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private Session used(String id, Session present) {
    try {
      Session session = present == null ? new Session(id, store.open(id), this) : present;
      session.users++;
      return session;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whoever has messages under way releases the session after their replies. */
  public void release(Session session) {
    inUse.compute(
        session.id(), (id, present) -> --session.users == 0 && present == session ? null : present);
  }

  /** Whoever asks for its id from now on gets another. */
  void forget(Session deleted) {
    inUse.remove(deleted.id(), deleted);
  }

  boolean areTooMany() {
    return store.openSessions() >= maxOpen;
  }
}
