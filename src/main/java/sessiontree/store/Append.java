package sessiontree.store;

import sessiontree.event.Batch;

/**
 * What is to be appended to a session. It is stored whole or not at all, and only if the session is
 * what its sender thought it would be: the same idea as an expected sequence of NATS JetStream or a
 * conditional PUT.
 *
 * @param expected the session's sequence (see {@link SessionState}) when this is next to be stored;
 *     if it is another then, as when something before it failed, the append is refused
 * @param batch what to store; null to store nothing, and be answered when all before it are
 * @param keepsStart whether the batch's SESSION_START is to be stored; false where it repeats the
 *     stored one
 * @param writer the name under which the number is kept, or null
 * @param number the message's number of that writer, from 1
 */
public record Append(
    long expected, Batch batch, boolean keepsStart, String writer, long number, Answer answer) {

  /** How many entries it adds to what is stored. */
  public int entries() {
    return batch == null ? 0 : batch.count() + (keepsStart ? 1 : 0) + (batch.end() == null ? 0 : 1);
  }

  /**
   * Told what became of an append. All answers of a store come by one thread, one after another, so
   * they must not wait for anything.
   */
  public interface Answer {
    /** It survives loss of power. For an append that ends the session: and its tree can be read. */
    void stored();

    /** Nothing of it was stored. It may be sent again. */
    void failed();

    /**
     * Comes after one of the above, when no other answers are at hand: the time to send what was
     * gathered.
     */
    void flush();
  }
}
