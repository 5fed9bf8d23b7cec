package sessiontree.store;

/**
 * The stored state of a session.
 *
 * @param sequence the number of appends that changed the session; 0 for a new one
 * @param entries the number of entries, SESSION_START and SESSION_END included
 * @param startKey the timestamp of SESSION_START in nanoseconds; meaningless for a new session, and
 *     for a complete one
 */
public record SessionState(Phase phase, long sequence, long entries, long startKey) {

  /** The state of a session of which nothing is stored. */
  public static final SessionState NEW = new SessionState(Phase.NEW, 0, 0, 0);

  /**
   * Returns whether the session was deleted since it was opened. Whatever is stored under its id
   * later belongs to another session.
   */
  public boolean isDeleted() {
    return phase == Phase.NEW && sequence > 0;
  }

  /** The phases of a session. */
  public enum Phase {
    NEW,
    /** SESSION_START is stored. */
    OPEN,
    /** SESSION_END is stored, and the tree is being made. */
    ENDED,
    /** The tree can be read. */
    COMPLETE,
    /** The session has ended, and what is stored of it is damaged: it can only be deleted. */
    DAMAGED
  }
}
