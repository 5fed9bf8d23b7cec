package sessiontree.web;

import java.util.ArrayList;
import java.util.List;
import sessiontree.event.ProblemException;
import sessiontree.session.Message;
import sessiontree.session.Reply;

/**
 * The messages that a connection has received and not yet submitted to its session. A lone message
 * is submitted at once. While it is being stored, further messages gather; they are submitted
 * together when it has its result, or when there are many. So they become one append, and one ACK
 * covers them all. Nagle's algorithm (RFC 896) does the same for TCP segments; there is no timer.
 *
 * <p>Safe for several threads: messages come from the thread that reads frames, results from store
 * threads. Calls the owner without holding a lock.
 */
final class Mailbox {
  /** Size of the gathered messages at which they do not wait for the previous result. */
  static final int MANY_BYTES = 16 << 10;

  /** The connection that receives the messages. */
  interface Owner {
    /** Submits messages together. Called by one thread at a time, in the order received. */
    void submit(List<Message> messages, int bytes, Reply reply);

    /**
     * Called when the next messages are stored.
     *
     * @param entries number of entries that the session has with them
     * @param freedBytes in-flight bytes of messages that now all have their results
     */
    void acknowledge(int messages, long entries, int freedBytes);

    /** Called when the next message is refused. */
    void refuse(ProblemException problem, int freedBytes);

    /** Called when it is unknown whether the next message is stored. */
    void giveUp(int freedBytes);

    /** Called when the results so far should be sent. */
    void flush();

    /** Called when all of the {@code messages} that were submitted together have their results. */
    void settled(int messages);
  }

  private final Owner owner;

  // All guarded by this.
  private List<Message> messages = List.of();
  private int bytes; // in-flight bytes of the messages
  private int submitted; // submissions without a result
  private boolean submitting;

  Mailbox(Owner owner) {
    this.owner = owner;
  }

  /** Adds a message of {@code messageBytes} in-flight bytes; returns the sum of all messages. */
  synchronized int add(Message message, int messageBytes) {
    if (messages.isEmpty()) {
      messages = new ArrayList<>(1); // created late; see StreamOutput.add
    }
    messages.add(message);
    bytes += messageBytes;
    return bytes;
  }

  /** Submits the messages, unless they may wait for the result of the previous submission. */
  void submit() {
    while (true) {
      List<Message> together;
      Submission submission;
      synchronized (this) {
        if (submitting || messages.isEmpty() || (submitted > 0 && bytes < MANY_BYTES)) {
          return;
        }
        together = messages;
        submission = new Submission(messages.size(), bytes);
        messages = List.of();
        bytes = 0;
        submitting = true;
        submitted++;
      }
      owner.submit(together, submission.bytes, submission);
      synchronized (this) {
        submitting = false;
      }
    }
  }

  /**
   * Receives the results of messages that were submitted together. Keeps no reference to the
   * messages: the append has their bytes, so they are garbage before they are stored.
   */
  private final class Submission implements Reply {
    private final int count;
    private final int bytes;
    private int left; // messages without a result; -1 after the last flush. Guarded by the mailbox

    Submission(int messages, int bytes) {
      this.count = messages;
      this.left = messages;
      this.bytes = bytes;
    }

    @Override
    public void stored(int count, long entries, boolean complete) {
      owner.acknowledge(count, entries, freed(count));
    }

    @Override
    public void refused(ProblemException problem) {
      owner.refuse(problem, freed(1));
    }

    @Override
    public void unknown(ProblemException problem) {
      owner.giveUp(freed(1));
    }

    /** Returns the bytes to free: all of them with the last message, none before. */
    private int freed(int count) {
      synchronized (Mailbox.this) {
        left -= count;
        return left == 0 ? bytes : 0;
      }
    }

    @Override
    public void flush() {
      owner.flush();
      synchronized (Mailbox.this) {
        if (left != 0) {
          return;
        }
        left = -1;
        submitted--;
      }
      submit();
      owner.settled(count);
    }
  }
}
