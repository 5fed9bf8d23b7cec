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
 * What the server says on a stream: one write at a time, and whatever is to be said meanwhile is
 * the next. So one ACK covers all messages whose results came during a write.
 *
 * <p>Safe for several threads. It calls nobody while it is locked.
 */
final class StreamOutput extends IteratingCallback {
  private static final int NOT_CLOSING = -1;

  private final CoreSession jetty;
  private final RunningClock time;
  private final String sessionId;
  private final LongConsumer taken;

  // All guarded by this.
  private boolean open; // OPEN is to be said, or was
  private List<Frame> frames = List.of(); // before the ACK
  private long settled; // the number of the last message with a result
  private long entries; // of the session then
  private boolean acknowledged; // there are stored messages that no ACK covers
  private int outstanding; // messages without a result
  private long unsettledBytes; // what messages count for until their results are written
  private long settledBytes; // of these, what has a result
  private long sendingBytes; // of these, what is being written
  private byte[] pong; // the payload of the last ping, or null
  private boolean pinging;
  private byte[] last; // COMPLETE or the ERROR of a deletion, before the close
  private boolean complete; // no further result is sent
  private boolean muted; // likewise, as that of a message is not known
  private int closing = NOT_CLOSING; // the code to close with, when all messages have results
  private Callback peerClose; // the client's close, to be completed in place of one of ours
  private boolean finished; // nothing is said any more
  private boolean sending;
  private boolean closed;
  private long sendingNanos;

  /**
   * The output of a connection.
   *
   * @param taken called with how many received bytes need no room any more: their results were
   *     written, or nobody is there to read them
   */
  StreamOutput(CoreSession jetty, RunningClock time, String sessionId, LongConsumer taken) {
    this.jetty = jetty;
    this.time = time;
    this.sessionId = sessionId;
    this.taken = taken;
    this.sendingNanos = time.nanos();
  }

  // --- What is to be said: by flush().

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

  /** A message was received, which counts for that many bytes. */
  synchronized void received(long bytes) {
    outstanding++;
    unsettledBytes += bytes;
  }

  /**
   * The next messages are stored.
   *
   * @param entries how many the session has with them
   * @param bytes what messages count for that have no further result to wait for
   */
  synchronized void acknowledge(int messages, long entries, long bytes) {
    acknowledged = !muted;
    this.entries = entries;
    settle(messages, bytes);
  }

  /** The next message is refused. */
  synchronized void refuse(ProblemException problem, long bytes) {
    acknowledge();
    if (!muted) {
      add(text(Problems.frame(settled + 1, problem)));
    }
    settle(1, bytes);
  }

  /**
   * It is not known whether the next message is stored: neither it nor a later one gets a result.
   */
  synchronized void settle(long bytes) {
    acknowledge();
    muted = true;
    settle(1, bytes);
  }

  /**
   * Guarded by this. The list is made when it is needed: one that waited for its first frame would
   * be old by then, and would have the collector keep the frame once both are garbage.
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
  private void acknowledge() {
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
    pong = payload; // a pong is for the last (RFC 6455, section 5.5.3)
  }

  synchronized void ping() {
    pinging = !finished;
  }

  /** The session is complete; {@code messages} is the number of this writer's last stored one. */
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

  /** Closes when all messages that were received have their results. The first code counts. */
  synchronized void close(int code) {
    closing = closing == NOT_CLOSING ? code : closing;
  }

  /** The client closes: the close is completed when all messages have their results. */
  synchronized void peerCloses(Callback close) {
    peerClose = close;
  }

  // --- Writing.

  /** Writes what is to be said now, or when what is being written is. Any thread may call it. */
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
      if (!complete) { // COMPLETE covers them too
        acknowledge();
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
      // Not by close(): behind a code other than 1000 Jetty would close the connection before the
      // client has read why, and TCP would reset it if anything were unread.
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
      peer.succeeded(); // Jetty closes as the client did
    }
  }

  @Override
  protected void onFailure(Throwable cause) {
    // Jetty closes the connection, as it could not be written.
  }

  // --- State.

  synchronized boolean isPeerClosing() {
    return peerClose != null;
  }

  /**
   * Whether OPEN was said, the client does not close, and it has less than that without results.
   */
  synchronized boolean wantsMore(long maxUnsettledBytes) {
    return open && peerClose == null && unsettledBytes < maxUnsettledBytes;
  }

  /** Whether the client does not take what is written, or does not respond to a close. */
  synchronized boolean isStuck(long nowNanos, long silenceNanos, long lingerNanos) {
    long nanos = nowNanos - sendingNanos;
    return (finished && nanos > lingerNanos) || (sending && nanos > silenceNanos);
  }

  /** The connection is no more. What has no result yet keeps its room until it has. */
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
