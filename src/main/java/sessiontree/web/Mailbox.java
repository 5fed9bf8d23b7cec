package sessiontree.web;

import java.util.ArrayList;
import java.util.List;
import sessiontree.session.Message;

/**
 * The messages that a connection has received and not yet submitted to its session. A lone message
 * is submitted at once. While it is being stored, further messages gather; they are submitted
 * together when it has its result, or when they have {@link #MANY_BYTES}. So they become one
 * append, and one ACK covers them all. Nagle's algorithm (RFC 896) does the same for TCP segments;
 * there is no timer.
 *
 * <p>Safe for several threads: messages come from the thread that reads frames, results from store
 * threads.
 */
final class Mailbox {
  /** In-flight bytes of gathered messages that are submitted before the previous result. */
  static final int MANY_BYTES = 16 << 10;

  /** Messages to submit together, in the order received, and their in-flight bytes. */
  record Burst(List<Message> messages, int bytes) {}

  // All guarded by this.
  private List<Message> messages = List.of();
  private int bytes; // in-flight bytes of the messages
  private int unsettled; // bursts without a result
  private boolean submitting;

  /** Adds a message of {@code messageBytes} in-flight bytes; returns the sum of all messages. */
  synchronized int add(Message message, int messageBytes) {
    if (messages.isEmpty()) {
      messages = new ArrayList<>(1); // created late; see StreamOutput.add
    }
    messages.add(message);
    bytes += messageBytes;
    return bytes;
  }

  /**
   * Removes and returns the messages to submit now. Returns null if there are none, if they wait
   * for the result of the previous burst, or if another burst is being submitted. After submitting
   * a burst, call {@link #submitted}, and then this method again.
   */
  synchronized Burst next() {
    if (submitting || messages.isEmpty() || (unsettled > 0 && bytes < MANY_BYTES)) {
      return null;
    }
    Burst next = new Burst(messages, bytes);
    messages = List.of();
    bytes = 0;
    submitting = true;
    unsettled++;
    return next;
  }

  synchronized void submitted() {
    submitting = false;
  }

  /** Called when all messages of a burst have their results; {@link #next} may return more now. */
  synchronized void settled() {
    unsettled--;
  }
}
