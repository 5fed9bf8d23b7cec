package sessiontree.store;

import java.io.IOException;
import java.util.Optional;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;

/**
 * Keeps sessions: takes what is appended to them, durably and in order, and gives back the tree of
 * a complete one. What may be appended to a session is not its business (see the session package),
 * but that two do not append against each other is. What not every store can do has interfaces of
 * its own: {@link Listable} and {@link Expirable}. Safe for any number of threads.
 */
public interface SessionStore extends AutoCloseable {

  /**
   * The session of that id, whether anything is stored of it or not. At any time at most one is in
   * use for an id. It may read, so no lock is held meanwhile.
   *
   * @param id known to be valid
   * @throws IOException if what is stored cannot be read
   */
  StoredSession open(String id) throws IOException;

  /** What is stored of a session now, without opening it. */
  SessionState state(String id) throws IOException;

  /**
   * The tree of a complete session, open for reading; empty for any other. The caller closes it.
   *
   * @throws IOException if it cannot be read, or is damaged
   */
  Optional<Tree> tree(String id) throws IOException;

  /**
   * The tree so far of a session that is open, or whose tree is still being made; empty for any
   * other. Appends go on meanwhile, and its reader holds no memory that grows with it.
   *
   * @throws IOException if it cannot be read, or there is no room to write it down
   */
  Optional<PartialTree> partial(String id) throws IOException;

  /** How many sessions are stored and not complete; it may lag by some seconds, and never waits. */
  int openSessions();

  /** False from the first write that failed until one has succeeded. */
  boolean healthy();

  /**
   * Stores what has been appended, and returns when all is on disk and has its result. Nothing may
   * be appended any more.
   */
  @Override
  void close() throws IOException;

  /** A session that is in use. */
  interface StoredSession {

    /** What is stored: every append with the result stored is in it, and none that was refused. */
    SessionState state();

    /**
     * Whether other servers may change it too. Then what is known of it is what was there at the
     * last result of an append, and before the first that may be nothing: an append that changes
     * nothing finds out. Then only may an append be outdated, or its result unknown.
     */
    default boolean shared() {
      return false;
    }

    /**
     * What is stored, for the appends that follow. Of those before, none is stored any more once
     * one was not: they took for granted what it would have made. That another server has brought
     * the session to the sequence that they expect is no reason to store them.
     */
    default SessionState resume() {
      return state();
    }

    /** The number of the named writer's last stored message; 0 when there is none. */
    long lastNumber(String writer);

    /** How many named writers have stored something. */
    int writers();

    /**
     * Tells what is stored from all that was stored under the id before, or will be, also after it
     * was deleted: of a complete session it is the tree's tag. Null if nothing is stored.
     *
     * @throws IOException if the tree cannot be read
     */
    String version() throws IOException;

    /** The greatest timestamp of an open session's entries; it may have to read all of them. */
    Batch.Bound latest() throws IOException;

    /**
     * The children that were stored after the first so many, in the order stored, as of now; null
     * if the store does not know that order any more.
     */
    Cursor since(long children);

    /**
     * Queues an append and returns at once; the result comes by its {@link Append.Callback}.
     * Appends to one session are stored, and have their results, in the order of the calls, which
     * must not be made by two threads at a time. After a deletion that was stored there may be no
     * other.
     */
    void append(Append append);
  }
}
