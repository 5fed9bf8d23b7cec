package sessiontree.session;

import sessiontree.event.ProblemException;

/**
 * Takes the results of a message, or of several that were submitted together: one for each message,
 * in the order in which the sender sent them. Called by the sender's thread or a store's, so it
 * must not wait for anything.
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
   * The messages have a result that survives loss of power; but it waits until the tree of the
   * session, which has ended, can be read or is removed.
   *
   * @param problem why the message is refused then; null if it is not
   */
  default void held(ProblemException problem) {}

  /**
   * Called after one of the above, when no other results are at hand: the time to send what was
   * gathered.
   */
  void flush();

  /** Runs a task when the message has its result, whichever it is. */
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
