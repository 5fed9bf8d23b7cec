package sessiontree.web;

import java.util.ArrayList;
import java.util.List;
import sessiontree.event.ProblemException;
import sessiontree.session.Message;
import sessiontree.session.Reply;

/**
 * The messages of a connection that were received, and not submitted to their session. A lone
 * message is submitted at once. While it is being stored, the messages behind it gather, and are
 * submitted together when it has its result, or when there are many: so they become one append, and
 * one ACK covers all. Nagle's algorithm (RFC 896) does the same for segments; there is no timer.
 *
 * <p>Safe for several threads: messages come from the one that reads frames, results from the
 * store's. Calls the owner without a lock.
 */
final class Mailbox {
  /** From that many bytes on, messages do not wait for the result of the submission before. */
  static final int MANY_BYTES = 16 << 10;

  /** The connection. */
  interface Owner {
    /** Submits messages that came together; by one thread at a time, in order. */
    void submit(List<Message> messages, int bytes, Reply reply);

    /**
     * The next messages are stored.
     *
     * @param entries how many the session has with them
     * @param freedBytes what messages counted for that have all their results now
     */
    void acknowledge(int messages, long entries, int freedBytes);

    /** The next message is refused. */
    void refuse(ProblemException problem, int freedBytes);

    /** It is not known whether the next message is stored. */
    void giveUp(int freedBytes);

    /** What has a result may be sent. */
    void flush();

    /** So many messages that were submitted together all have their results. */
    void settled(int messages);
  }

  private final Owner owner;

  // All guarded by this.
  private List<Message> messages = List.of();
  private int bytes; // that the messages count for
  private int submitted; // submissions without a result
  private boolean submitting;

  Mailbox(Owner owner) {
    this.owner = owner;
  }

  /** Adds a message, which counts for that many bytes; returns for how many all of them do. */
  synchronized int add(Message message, int messageBytes) {
    if (messages.isEmpty()) {
      messages = new ArrayList<>(1); // not before: see StreamOutput
    }
    messages.add(message);
    bytes += messageBytes;
    return bytes;
  }

  /** Submits what there is, unless it may wait for the result of the submission before. */
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
   * Takes the results of messages that were submitted together. It does not keep the messages,
   * which are garbage before they are stored, as the append has their bytes.
   */
  private final class Submission implements Reply {
    private final int count;
    private final int bytes;
    private int left; // messages without a result; -1 behind the last flush. Guarded by the mailbox

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

    /** All bytes are freed with the last message. */
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
