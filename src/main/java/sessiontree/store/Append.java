package sessiontree.store;

import sessiontree.event.Batch;

/**
 * An operation on a session. It is done completely or not at all, and only if the session is in the
 * state that its sender expects: the same idea as an expected sequence of NATS JetStream or a
 * conditional PUT.
 *
 * @param expected the sequence (see {@link SessionState}) that the session must have when it is
 *     this append's turn; otherwise, as after an earlier append that failed, the append is refused
 * @param batch the entries to store; null to store nothing
 * @param keepsStart whether to store the batch's SESSION_START; false if it repeats the stored one
 * @param writer the name under which the number is kept, or null
 * @param number the writer's number of the message, from 1
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
    /** Stores nothing; its result comes after those of all earlier appends. */
    NOTHING,
    /** Ends an abandoned session. Its batch is only the end. */
    ABANDONMENT,
    /**
     * Deletes the session: what was stored of it can no longer be read, and its id is unused again.
     */
    DELETION
  }

  /** Returns an append that stores a message. */
  public static Append entries(
      long expected,
      Batch batch,
      boolean keepsStart,
      String writer,
      long number,
      Callback callback) {
    return new Append(Kind.ENTRIES, expected, batch, keepsStart, writer, number, callback);
  }

  /** Returns an append that stores nothing. */
  public static Append nothing(long expected, Callback callback) {
    return new Append(Kind.NOTHING, expected, null, false, null, 0, callback);
  }

  /** Returns an append that ends the session on its client's behalf. */
  public static Append abandonment(long expected, Batch.Bound end, Callback callback) {
    Batch batch = new Batch(new byte[0], 0, null, -1, -1, end);
    return new Append(Kind.ABANDONMENT, expected, batch, false, null, 0, callback);
  }

  /** Returns an append that deletes the session. */
  public static Append deletion(long expected, Callback callback) {
    return new Append(Kind.DELETION, expected, null, false, null, 0, callback);
  }

  /** Returns whether the append writes anything, and so increments the session's sequence. */
  public boolean changes() {
    return kind != Kind.NOTHING;
  }

  /** Returns whether the append ends the session, so that its result waits for the tree. */
  public boolean ends() {
    return batch != null && batch.end() != null;
  }

  /** Returns how many entries the append adds to those stored. */
  public int entries() {
    return batch == null ? 0 : batch.count() + (keepsStart ? 1 : 0) + (batch.end() == null ? 0 : 1);
  }

  /**
   * A callback for the result of an append. A store makes all these calls one after another, so
   * they must not block.
   */
  public interface Callback {
    /**
     * Called when the append is durable. If it ends the session, the tree can also be read; if it
     * deletes the session, nothing of the session can be read any more.
     */
    void stored();

    /** Called when nothing of the append was stored. It may be sent again. */
    void failed();

    /**
     * Called when nothing of the append was stored, as the session was not at the expected
     * sequence: another was first. {@link SessionStore.StoredSession#resume} returns what is
     * stored.
     */
    void outdated();

    /**
     * Called when it is not known yet whether the append was stored, as when the connection to a
     * database broke during a commit. Once the store knows, the session's state shows it.
     */
    void unknown();

    /**
     * Called when the append's record is durable, but its result waits until the session's tree can
     * be read, or is removed. Called before the result, and only if that has to wait.
     */
    default void storedAwaitingTree() {}

    /**
     * Called instead of {@link #stored} if the session has its end but will never have a tree,
     * because what is stored of it is damaged, or because it was deleted meanwhile.
     */
    void noTree();

    /**
     * Called after the methods above, once no further results are ready: the time to send what was
     * gathered.
     */
    void flush();
  }
}
