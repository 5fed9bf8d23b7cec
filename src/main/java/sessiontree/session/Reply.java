package sessiontree.session;

import sessiontree.event.ProblemException;

/**
 * A callback for the results of a message, or of several that were submitted together: one result
 * for each, in the order in which the sender sent them. Called by the sender's thread or a store's,
 * so it must not block.
 */
public interface Reply {
  /** A callback that ignores all results. */
  Reply NONE =
      new Reply() {
        @Override
        public void stored(int messages, long entries, boolean complete) {}

        @Override
        public void refused(ProblemException problem) {}

        @Override
        public void flush() {}
      };

  /**
   * Called when the next messages are stored, or were stored before.
   *
   * @param messages the number of these messages
   * @param entries the number of the session's entries, these included
   * @param complete whether the session has ended, and its tree can be read
   */
  void stored(int messages, long entries, boolean complete);

  /** Called when the next message was refused, and changed nothing. */
  void refused(ProblemException problem);

  /** Called when it is not known whether the next message is stored, as the problem says. */
  default void unknown(ProblemException problem) {
    refused(problem);
  }

  /**
   * Called when the messages have a durable result that waits until the tree of the ended session
   * can be read, or is removed.
   *
   * @param problem why the message will be refused; null if it will not be
   */
  default void storedAwaitingTree(ProblemException problem) {}

  /**
   * Called after the methods above, once no further results are ready: the time to send what was
   * gathered.
   */
  void flush();
}
