package sessiontree.store;

import sessiontree.event.Batch;

/**
 * What is to be done to a session. It is done whole or not at all, and only if the session is what
 * its sender thought it would be: the same idea as an expected sequence of NATS JetStream or a
 * conditional PUT.
 *
 * @param expected the session's sequence (see {@link SessionState}) when this is next to be stored;
 *     if it is another then, as when something before it failed, the append is refused
 * @param batch what to store; null to store nothing
 * @param keepsStart whether the batch's SESSION_START is to be stored; false where it repeats the
 *     stored one
 * @param writer the name under which the number is kept, or null
 * @param number the message's number of that writer, from 1
 */
public record Append(
    Kind kind,
    long expected,
    Batch batch,
    boolean keepsStart,
    String writer,
    long number,
    Callback callback) {

  /** What an append does. */
  public enum Kind {
    /** Stores its batch. */
    ENTRIES,
    /** Stores nothing, and has its result when all before it have theirs. */
    NOTHING,
    /** Ends a session that has been left alone. Its batch is only the end. */
    ABANDONMENT,
    /** Removes the session: what was stored of it cannot be read any more, and its id is new. */
    DELETION
  }

  /** An append that stores a message. */
  public static Append entries(
      long expected,
      Batch batch,
      boolean keepsStart,
      String writer,
      long number,
      Callback callback) {
    return new Append(Kind.ENTRIES, expected, batch, keepsStart, writer, number, callback);
  }

  /** An append that stores nothing. */
  public static Append nothing(long expected, Callback callback) {
    return new Append(Kind.NOTHING, expected, null, false, null, 0, callback);
  }

  /** An append that ends the session in its client's place. */
  public static Append abandonment(long expected, Batch.Bound end, Callback callback) {
    Batch batch = new Batch(new byte[0], 0, null, -1, -1, end);
    return new Append(Kind.ABANDONMENT, expected, batch, false, null, 0, callback);
  }

  /** An append that removes the session. */
  public static Append deletion(long expected, Callback callback) {
    return new Append(Kind.DELETION, expected, null, false, null, 0, callback);
  }

  /** Whether anything is to be written for it, so that the session's sequence is one more then. */
  public boolean changes() {
    return kind != Kind.NOTHING;
  }

  /** Whether it has its result when the session's tree can be read. */
  public boolean ends() {
    return batch != null && batch.end() != null;
  }

  /** How many entries it adds to what is stored. */
  public int entries() {
    return batch == null ? 0 : batch.count() + (keepsStart ? 1 : 0) + (batch.end() == null ? 0 : 1);
  }

  /**
   * Called with the result of an append. A store makes all these calls one after another, so they
   * must not wait for anything.
   */
  public interface Callback {
    /**
     * It survives loss of power. For an append that ends the session: and its tree can be read; for
     * a deletion: and nothing of the session can be.
     */
    void stored();

    /** Nothing of it was stored. It may be sent again. */
    void failed();

    /**
     * Nothing of it was stored, as the session was not at the expected sequence: another was first.
     * What is there, {@link SessionStore.StoredSession#resume} returns.
     */
    void outdated();

    /**
     * Nobody can say yet whether it was stored, as when the connection to a database broke during a
     * commit. Once the store knows, so does the session's state.
     */
    void unknown();

    /**
     * Its record survives loss of power, but its result waits until the session's tree can be read,
     * or is removed. Called before the result, and only where it has to wait.
     */
    default void held() {}

    /**
     * In the place of {@link #stored}: the session has its end, and never will have a tree, as what
     * is stored of it is damaged, or as it was deleted meanwhile.
     */
    void noTree();

    /**
     * Called after one of the above, when no other results are at hand: the time to send what was
     * gathered.
     */
    void flush();
  }
}
