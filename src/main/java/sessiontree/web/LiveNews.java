package sessiontree.web;

/**
 * What other threads report to a {@link LiveStream}, until it is sent. Safe for several threads.
 */
final class LiveNews {
  /** Why a stream ends. */
  enum End {
    COMPLETE,
    DELETED,
    STOPPED
  }

  // All guarded by this.
  private End end;
  private long endEntries;
  private boolean missed; // other servers' messages are in the store, not in the queue
  private boolean commentDue;

  /** Reports the end. The first counts, but none counts after the stream was stopped. */
  synchronized void end(End why) {
    end = end == null || why == End.STOPPED ? why : end;
  }

  synchronized void complete(long entries) {
    endEntries = entries;
    end(End.COMPLETE);
  }

  synchronized boolean isStopped() {
    return end == End.STOPPED;
  }

  /** Forgets that the session is complete, which the next tree or watch() reports again. */
  synchronized void forgetCompletion() {
    end = end == End.COMPLETE ? null : end;
  }

  /**
   * Returns the end to send; null if there is none yet, or if missed messages come first, which
   * takeMissed() then tells.
   */
  synchronized End endAfter(long sent) {
    if (end == End.COMPLETE && sent < endEntries - 2) { // other servers' messages come first
      missed = true;
      return null;
    }
    return end;
  }

  synchronized void miss() {
    missed = true;
  }

  synchronized boolean takeMissed() {
    boolean taken = missed;
    missed = false;
    return taken;
  }

  synchronized void requestComment() {
    commentDue = true;
  }

  synchronized boolean takeComment() {
    boolean taken = commentDue;
    commentDue = false;
    return taken;
  }
}
