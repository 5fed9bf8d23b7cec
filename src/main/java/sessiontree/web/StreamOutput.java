package sessiontree.web;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingCallback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.eclipse.jetty.websocket.core.WebSocketCoreSession;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.store.RunningClock;

/**
 * Writes the frames of a stream: one write at a time, and everything queued meanwhile is the next
 * write. So one ACK covers all messages whose results came during a write.
 *
 * <p>Safe for several threads. Calls neither Jetty nor {@code taken} while holding its lock.
 */
final class StreamOutput extends IteratingCallback {
  private static final int NOT_CLOSING = -1;

  private final CoreSession jetty;
  private final RunningClock time;
  private final String sessionId;
  private final LongConsumer taken;

  // All guarded by this.
  private boolean open; // OPEN is queued or sent
  private List<Frame> frames = List.of(); // to send before the next ACK
  private long settled; // the number of the last message with a result
  private long entries; // of the session after that message
  private boolean acknowledged; // some stored messages are not covered by an ACK yet
  private int outstanding; // messages without a result
  private long unsettledBytes; // in-flight bytes of messages whose results are not written yet
  private long settledBytes; // of these, those whose messages have results
  private long sendingBytes; // of these, those whose results are being written
  private byte[] pong; // the payload of the last ping, or null
  private boolean pinging;
  private byte[] last; // COMPLETE or the ERROR of a deletion; sent before the close
  private boolean complete; // no further result is sent
  private boolean muted; // likewise, as the result of a message is unknown
  private int closing = NOT_CLOSING; // the code to close with once all messages have results
  private Callback peerClose; // of the client's close; completed instead of sending a close
  private boolean finished; // nothing more is sent
  private boolean sending;
  private boolean closed;
  private long sendingNanos; // when the last write began

  /**
   * Creates the output of a connection.
   *
   * @param taken called with the number of in-flight bytes to free, as their results were written
   *     or the connection is closed
   */
  StreamOutput(CoreSession jetty, RunningClock time, String sessionId, LongConsumer taken) {
    this.jetty = jetty;
    this.time = time;
    this.sessionId = sessionId;
    this.taken = taken;
    this.sendingNanos = time.nanos();
  }

  // --- Queueing. Call flush() to write.

  synchronized void open(long entries, long messages) {
    open = true;
    settled = messages;
    say(
        "{\"type\":\"OPEN\",\"session_id\":\""
            + sessionId
            + "\",\"entries\":"
            + entries
            + ",\"messages\":"
            + messages
            + "}");
  }

  /** Counts a received message of {@code bytes} in-flight bytes. */
  synchronized void received(long bytes) {
    outstanding++;
    unsettledBytes += bytes;
  }

  /**
   * Queues the ACK of the next messages, which are stored.
   *
   * @param entries number of entries that the session has with them
   * @param bytes in-flight bytes of messages that now all have their results
   * @param complete whether the session is complete: then COMPLETE follows, in place of an ACK
   */
  synchronized void acknowledge(int messages, long entries, long bytes, boolean complete) {
    acknowledged = !muted && !complete;
    this.entries = entries;
    settle(messages, bytes);
  }

  /** Queues the ERROR of the next message, which is refused. */
  synchronized void refuse(ProblemException problem, long bytes) {
    queueAck();
    if (!muted) {
      add(text(Problems.frame(settled + 1, problem)));
    }
    settle(1, bytes);
  }

  /** Records that the next message's result is unknown: it and all later ones get none. */
  synchronized void mute(long bytes) {
    queueAck();
    muted = true;
    settle(1, bytes);
  }

  /**
   * Guarded by this. Creates the list only when needed: a list that waited for its first frame
   * would be in the old generation, and keep the frame from being collected when both are garbage.
   */
  private void add(Frame frame) {
    if (frames.isEmpty()) {
      frames = new ArrayList<>(1);
    }
    frames.add(frame);
  }

  /** Guarded by this. */
  private void settle(int messages, long bytes) {
    settled += messages;
    outstanding -= messages;
    settledBytes += bytes;
  }

  /** Guarded by this. */
  private void queueAck() {
    if (acknowledged) {
      acknowledged = false;
      say("{\"type\":\"ACK\",\"messages\":" + settled + ",\"entries\":" + entries + "}");
    }
  }

  /** Guarded by this. */
  private void say(String ascii) {
    add(text(ascii.getBytes(US_ASCII)));
  }

  private static Frame text(byte[] json) {
    return new Frame(OpCode.TEXT, ByteBuffer.wrap(json));
  }

  synchronized void pong(byte[] payload) {
    pong = payload; // only the last ping needs one (RFC 6455, section 5.5.3)
  }

  synchronized void ping() {
    pinging = !finished;
  }

  /** Queues COMPLETE and the close; {@code messages} is the writer's last stored number. */
  synchronized void complete(long entries, long messages) {
    complete = true;
    closing = CloseStatus.NORMAL;
    last =
        ("{\"type\":\"COMPLETE\",\"session_id\":\""
                + sessionId
                + "\",\"messages\":"
                + Math.max(settled, messages)
                + ",\"entries\":"
                + entries
                + ",\"location\":\"/sessions/"
                + sessionId
                + "\"}")
            .getBytes(US_ASCII);
  }

  synchronized void deleted() {
    last =
        Problems.frame(0, new ProblemException(Problem.SESSION_DELETED, "the session was deleted"));
  }

  /** Closes when all received messages have their results. The first code counts. */
  synchronized void close(int code) {
    closing = closing == NOT_CLOSING ? code : closing;
  }

  /** Completes the client's close when all received messages have their results. */
  synchronized void peerCloses(Callback close) {
    peerClose = close;
  }

  // --- Writing.

  /** Writes what is queued: now, or after the write in progress. Any thread may call it. */
  void flush() {
    long freed;
    synchronized (this) {
      freed = closed ? settledBytes : 0;
      settledBytes -= freed;
    }
    if (freed > 0) {
      taken.accept(freed);
    }
    iterate();
  }

  @Override
  protected Action process() {
    List<Frame> next;
    int code = NOT_CLOSING;
    Callback peer = null;
    synchronized (this) {
      if (finished || closed) {
        return Action.IDLE;
      }
      if (!complete) { // COMPLETE covers these messages too
        queueAck();
      }
      boolean ends =
          (closing != NOT_CLOSING || peerClose != null) && (outstanding == 0 || complete);
      if (ends && last != null && (complete || peerClose == null)) {
        add(text(last));
        last = null;
      }
      if (pong != null) {
        add(new Frame(OpCode.PONG, ByteBuffer.wrap(pong)));
        pong = null;
      }
      if (pinging) {
        add(new Frame(OpCode.PING));
        pinging = false;
      }
      next = frames;
      frames = List.of();
      boolean isLast = ends && (next.isEmpty() || closing == CloseStatus.NORMAL);
      if (next.isEmpty() && !isLast) {
        return Action.IDLE;
      }
      if (isLast) {
        finished = true;
        peer = peerClose;
        code = closing;
      }
      sending = true;
      sendingBytes = settledBytes;
      sendingNanos = time.nanos();
    }
    write(next, code, peer);
    return Action.SCHEDULED;
  }

  private void write(List<Frame> frames, int code, Callback peer) {
    boolean closes = code != NOT_CLOSING && peer == null;
    int count = frames.size();
    for (int i = 0; i < count; i++) {
      boolean batch = i < count - 1 || closes;
      jetty.sendFrame(frames.get(i), batch ? Callback.NOOP : this, batch);
    }
    if (closes) {
      // Not by close(): after a code other than 1000, Jetty would close the connection before the
      // client has read the code, and TCP would reset it if anything were unread.
      ((WebSocketCoreSession) jetty)
          .getConnection()
          .enqueueFrame(
              new OutgoingEntry.Builder()
                  .frame(new CloseStatus(code).toFrame())
                  .callback(this)
                  .build());
    } else if (count == 0) {
      succeeded();
    }
  }

  @Override
  protected void onSuccess() {
    long bytes;
    Callback peer;
    synchronized (this) {
      sending = false;
      bytes = sendingBytes;
      sendingBytes = 0;
      settledBytes -= bytes;
      unsettledBytes -= bytes;
      peer = finished ? peerClose : null;
      peerClose = finished ? null : peerClose;
    }
    taken.accept(bytes);
    if (peer != null) {
      peer.succeeded(); // Jetty sends the client's close code back
    }
  }

  @Override
  protected void onFailure(Throwable cause) {
    // Jetty closes a connection that cannot be written.
  }

  // --- State.

  synchronized boolean isPeerClosing() {
    return peerClose != null;
  }

  /**
   * Returns whether OPEN is queued or sent, the client is not closing, and its messages without
   * written results have less than {@code maxUnsettledBytes}.
   */
  synchronized boolean wantsMore(long maxUnsettledBytes) {
    return open && peerClose == null && unsettledBytes < maxUnsettledBytes;
  }

  /** Returns whether the client does not read a write, or does not respond to a close, in time. */
  synchronized boolean isStuck(long nowNanos, long silenceNanos, long lingerNanos) {
    long nanos = nowNanos - sendingNanos;
    return (finished && nanos > lingerNanos) || (sending && nanos > silenceNanos);
  }

  /** Called on close. In-flight bytes of messages without a result are freed with the result. */
  void closed() {
    long freed;
    synchronized (this) {
      closed = true;
      freed = settledBytes;
      settledBytes = 0;
      sendingBytes = 0;
      frames = List.of();
    }
    taken.accept(freed);
  }

  /** Cuts the connection off. */
  void abort() {
    Callback peer;
    synchronized (this) {
      peer = peerClose;
      peerClose = null;
    }
    jetty.abort();
    if (peer != null) {
      peer.succeeded();
    }
  }
}
