package sessiontree.store;

import java.io.IOException;
import java.util.Optional;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;

/**
 * A store of sessions: takes appends durably and in order, and returns the tree of a complete
 * session. The session package decides what may be appended to a session; the store only ensures
 * that two senders' appends do not conflict. What not every store can do is in interfaces of its
 * own: {@link Listable} and {@link Expirable}. Safe for any number of threads.
 */
public interface SessionStore extends AutoCloseable {

  /**
   * Returns the session of an id, whether anything is stored of it or not. At most one instance for
   * an id is in use at a time. This may read from disk or network, so callers hold no lock.
   *
   * @param id an id that is known to be valid
   * @throws IOException if what is stored cannot be read
   */
  StoredSession open(String id) throws IOException;

  /** Returns what is stored of a session now, without opening it. */
  SessionState state(String id) throws IOException;

  /**
   * Returns the tree of a complete session, open for reading; empty for others. The caller closes
   * it.
   *
   * @throws IOException if the tree cannot be read, or is damaged
   */
  Optional<Tree> tree(String id) throws IOException;

  /**
   * Returns the tree so far of a session that is open, or whose tree is still being made; empty for
   * others. Appends go on meanwhile. Reading the tree takes a bounded amount of memory, unless the
   * store itself is in memory.
   *
   * @throws IOException if the session cannot be read, or there is no space to write the tree to
   */
  Optional<PartialTree> partial(String id) throws IOException;

  /** Returns how many sessions are stored and not complete; may lag some seconds, never blocks. */
  int openSessions();

  /** Returns false from the first write that failed until one has succeeded. */
  boolean healthy();

  /**
   * Stores what has been appended, and returns once all of it is on disk and has its result.
   * Nothing may be appended after this call.
   */
  @Override
  void close() throws IOException;

  /** A session that is in use. */
  interface StoredSession {

    /** Returns what is stored: every append whose result was stored, and none that was refused. */
    SessionState state();

    /**
     * Returns whether other servers may change the session too. If so, the state known here is that
     * of the last result of an append, or possibly nothing before the first; an append of nothing
     * refreshes it. Only then may an append be outdated, or its result unknown.
     */
    default boolean shared() {
      return false;
    }

    /**
     * Returns what is stored, as the base of the appends that follow. Called after an append was
     * not stored. Appends that were queued behind it, and before this call, assumed its effects:
     * none of them is stored, even if another server brings the session to the sequence that they
     * expect.
     */
    default SessionState resume() {
      return state();
    }

    /** Returns the number of the named writer's last stored message; 0 if there is none. */
    long lastNumber(String writer);

    /** Returns how many named writers have stored something. */
    int writers();

    /**
     * Returns a version of what is stored, unique among all that is ever stored under the id, also
     * across deletions. For a complete session it is the tree's tag. Null if nothing is stored.
     *
     * @throws IOException if the tree cannot be read
     */
    String version() throws IOException;

    /** Returns the greatest timestamp of an open session's entries; may have to read them all. */
    Batch.Bound latest() throws IOException;

    /**
     * Returns the children stored after the first {@code children}, in the order stored, as of now;
     * null if the store does not know that order any more.
     */
    Cursor since(long children);

    /**
     * Queues an append and returns at once; the result comes by its {@link Append.Callback}.
     * Appends to one session are stored, and have their results, in the order of the calls. Two
     * threads must not call this at a time. After a deletion that was stored, nothing more may be
     * appended.
     */
    void append(Append append);
  }
}
