package sessiontree.web;

import org.eclipse.jetty.websocket.core.CloseStatus;
import sessiontree.event.ProblemException;
import sessiontree.session.Reply;

/**
 * Receives the results of messages that a stream submitted together. Keeps no reference to the
 * messages: the append has their bytes, so the messages can be collected before it is stored.
 */
final class Submission implements Reply {
  private final StreamConnection connection;
  private final StreamOutput output;
  private final int count;
  private final int bytes;
  private int left; // messages without a result; -1 after the last flush. Guarded by this.

  Submission(StreamConnection connection, StreamOutput output, Mailbox.Burst burst) {
    this.connection = connection;
    this.output = output;
    this.count = burst.messages().size();
    this.left = count;
    this.bytes = burst.bytes();
  }

  @Override
  public void stored(int messages, long entries, boolean complete) {
    output.acknowledge(messages, entries, freed(messages), complete);
  }

  @Override
  public void refused(ProblemException problem) {
    output.refuse(problem, freed(1));
  }

  @Override
  public void unknown(ProblemException problem) {
    output.mute(freed(1));
    connection.closeWith(CloseStatus.SERVER_ERROR); // the next OPEN has the correct number
  }

  /** Returns the in-flight bytes to free: all of them with the last message, none before. */
  private synchronized int freed(int messages) {
    left -= messages;
    return left == 0 ? bytes : 0;
  }

  @Override
  public void flush() {
    output.flush();
    synchronized (this) {
      if (left != 0) {
        return;
      }
      left = -1;
    }
    connection.settled(count);
  }
}
