package sessiontree.session;

import sessiontree.event.ProblemException;

/**
 * Told what became of a message, or of several that were submitted together: of each once, in the
 * order they were sent, as of all messages of one sender. Replies come by the sender's thread or
 * the store's, so they must not wait for anything.
 */
public interface Reply {
  /**
   * The next of the messages are stored, or were before.
   *
   * @param messages how many of them
   * @param entries how many the session has with them
   * @param complete whether the session has ended, and its tree can be read
   */
  void stored(int messages, long entries, boolean complete);

  /** The next message was refused, and changed nothing. */
  void refused(ProblemException problem);

  /** It is not known whether the next message is stored; as the problem says. */
  default void unknown(ProblemException problem) {
    refused(problem);
  }

  /**
   * What becomes of the messages is decided, and survives loss of power; but the result waits until
   * the tree of the session, which has ended, can be read or is removed.
   *
   * @param problem why the message is refused then; null if it is not
   */
  default void held(ProblemException problem) {}

  /**
   * Comes after one of the above, when no other replies are at hand: the time to send what was
   * gathered.
   */
  void flush();

  /** Runs a task when it is known what became of the message, whatever it is. */
  static Reply of(Runnable task) {
    return new Reply() {
      @Override
      public void stored(int messages, long entries, boolean complete) {}

      @Override
      public void refused(ProblemException problem) {}

      @Override
      public void flush() {
        task.run();
      }
    };
  }
}
