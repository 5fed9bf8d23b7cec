package sessiontree.session;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.ConcurrentHashMap;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.store.SessionStore;

/**
 * The sessions in use: one {@link Session} for an id, from the first who asks for it until the last
 * has done. Safe for several threads.
 */
public final class Sessions {
  private final ConcurrentHashMap<String, Session> inUse = new ConcurrentHashMap<>();
  private final SessionStore store;

  public Sessions(SessionStore store) {
    this.store = store;
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
      Session session = present == null ? new Session(id, store.open(id)) : present;
      session.users++;
      return session;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whoever has messages under way releases the session after their replies. */
  public void release(Session session) {
    inUse.compute(session.id(), (id, present) -> --session.users == 0 ? null : present);
  }
}
