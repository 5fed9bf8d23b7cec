package sessiontree.store;

/**
 * What is stored of a session.
 *
 * @param sequence how many appends made it what it is; 0 for a new one
 * @param entries how many entries, SESSION_START and SESSION_END included
 * @param startKey the timestamp of SESSION_START in nanoseconds; meaningless for a new session, and
 *     for a published one
 */
public record SessionState(Phase phase, long sequence, long entries, long startKey) {

  /** Nothing is stored of it. */
  public static final SessionState NEW = new SessionState(Phase.NEW, 0, 0, 0);

  /** Whether it was deleted since it was opened. What is stored under its id later is another. */
  public boolean isDeleted() {
    return phase == Phase.NEW && sequence > 0;
  }

  /** How far a session has come. */
  public enum Phase {
    NEW,
    /** It has its SESSION_START. */
    OPEN,
    /** It has its SESSION_END, and its tree is being made. */
    ENDED,
    /** Its tree can be read. */
    COMPLETE,
    /** It has ended, and what is stored of it is damaged: it can only be deleted. */
    DAMAGED
  }
}
