package sessiontree.web;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.session.Message;
import sessiontree.session.Session;

/**
 * A WebSocket connection that streams messages into a session. No thread waits on its behalf.
 *
 * <p>Messages go through a {@link Mailbox}, so that messages that come together become one append.
 *
 * <p>Back-pressure: Jetty is asked for the next frame only while the bytes of messages without a
 * sent ACK are below a bound, and while there is room among the in-flight bytes of all connections
 * ({@link InFlight}). So TCP slows down a client that sends faster than the disk writes, or that
 * does not read.
 *
 * <table>
 * <caption>Where the bytes of a message are counted</caption>
 * <tr><th>{@link StreamInput}</th><td>until it is parsed</td></tr>
 * <tr><th>{@link Mailbox}</th><td>until it is submitted</td></tr>
 * <tr><th>{@link Submission}</th><td>until all messages submitted with it have results</td></tr>
 * <tr><th>{@link StreamOutput}</th><td>from the last frame until its result is written</td></tr>
 * <tr><th>{@link InFlight}</th><td>from its first frame until its result is written</td></tr>
 * </table>
 *
 * <p>Jetty delivers frames one after another; store threads deliver results, in the order of the
 * messages. State that both touch is guarded by this. While this lock is held, only the input, the
 * output, the {@link InFlight} and the mailbox are called.
 */
final class StreamConnection implements FrameHandler, Session.Watcher, InFlight.Reader {
  private static final Logger LOG = LoggerFactory.getLogger(StreamConnection.class);

  /** In-flight bytes without a sent ACK at which no more frames are requested. */
  private static final int MAX_UNSETTLED_BYTES = 256 << 10;

  /** In-flight bytes that a message counts for in addition to its length. */
  private static final int MESSAGE_OVERHEAD_BYTES = 256;

  private static final long PING_NANOS = 20_000_000_000L;
  private static final long SILENCE_NANOS = 60_000_000_000L;

  /** How long the peer may take to respond to a close. */
  private static final long LINGER_NANOS = 5_000_000_000L;

  private static final String SLOW_MESSAGE = "slow_message"; // reason in metrics and logs

  private static final AtomicLong NAMES = new AtomicLong();

  private final long name = NAMES.incrementAndGet(); // in logs
  private final Streams streams;
  private final String sessionId;
  private final String writer;
  private final Mailbox mailbox = new Mailbox();

  // Written once, when the connection is opened.
  private StreamInput input;
  private StreamOutput output;
  private CoreSession jetty;
  private Session session; // null if the session cannot be read

  // All guarded by this.
  private boolean demanding; // Jetty has been asked for a frame
  private boolean blocked; // waits until the InFlight admits it
  private boolean draining; // further messages are dropped
  private boolean closed;
  private int users = 1; // users of the session: the connection, and messages without a result
  private long received; // the number of the last message
  private long heardNanos;
  private long pingedNanos;

  StreamConnection(Streams streams, String sessionId, String writer) {
    this.streams = streams;
    this.sessionId = sessionId;
    this.writer = writer;
    this.heardNanos = streams.nowNanos();
    this.pingedNanos = heardNanos;
  }

  // --- Jetty's events.

  @Override
  public void onOpen(CoreSession jetty, Callback callback) {
    this.jetty = jetty;
    input = new StreamInput(this, streams, jetty, sessionId);
    output = new StreamOutput(jetty, streams.time(), sessionId, this::taken);
    streams.add(this);
    LOG.debug("session={} connection={} opened", sessionId, name);
    callback.succeeded();
    try {
      session = streams.sessions().acquire(sessionId);
    } catch (ProblemException | IOException e) {
      LOG.error("session={} connection={} cannot be read: {}", sessionId, name, e.toString());
      closeWith(CloseStatus.SERVER_ERROR);
      return;
    }
    session.watch(this);
    session.sync(writer, this::synced);
  }

  private void synced(long entries, long messages) {
    synchronized (this) {
      received = messages;
    }
    output.open(entries, messages);
    output.flush();
    resume();
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    boolean dropped;
    synchronized (this) {
      demanding = false;
      heardNanos = streams.nowNanos();
      dropped = draining;
    }
    if (frame.getOpCode() == OpCode.CLOSE) {
      input.clear();
      output.peerCloses(callback); // completed when all received messages have results
      output.flush();
      return;
    }
    if (frame.getOpCode() == OpCode.PING) {
      output.pong(BufferUtil.toArray(frame.getPayload()));
      output.flush();
    } else if (frame.isDataFrame() && !dropped) {
      input.add(frame);
    }
    callback.succeeded();
    if (!resume()) {
      pause();
    }
    streams.inFlight().admitNext();
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    LOG.debug("session={} connection={} failed: {}", sessionId, name, cause.toString());
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    streams.remove(this);
    LOG.debug("session={} connection={} closed code={}", sessionId, name, status.getCode());
    synchronized (this) {
      closed = true;
      draining = true;
    }
    streams.inFlight().forget(this);
    input.close();
    output.closed();
    if (session != null) {
      session.unwatch(this);
      release(1);
    }
    callback.succeeded();
  }

  // --- Receiving.

  /** Puts a message into the mailbox. */
  void receive(int length, Batch batch, ProblemException unreadable) {
    int bytes = length + MESSAGE_OVERHEAD_BYTES;
    boolean many;
    synchronized (this) {
      if (draining) { // began after the frame came; the message would get no ACK
        return;
      }
      users++;
      output.received(bytes);
      streams.inFlight().addMessage(bytes);
      many =
          mailbox.add(new Message(++received, batch, unreadable), bytes)
              > Streams.SMALL_INPUT_BYTES;
    }
    if (many) {
      input.readMoreAtOnce();
    }
    submit();
  }

  /** Submits the messages of the mailbox, unless they wait for the result of earlier ones. */
  private void submit() {
    for (Mailbox.Burst next = mailbox.next(); next != null; next = mailbox.next()) {
      List<Message> messages = next.messages();
      streams.countReceived(next.bytes() - (long) messages.size() * MESSAGE_OVERHEAD_BYTES);
      session.submit(writer, false, messages, new Submission(this, output, next));
      mailbox.submitted();
    }
  }

  /** Called when all of the {@code messages} that were submitted together have their results. */
  void settled(int messages) {
    mailbox.settled();
    submit();
    release(messages);
  }

  /** Frees in-flight bytes of messages whose results were written or will not be. */
  private void taken(long bytes) {
    streams.inFlight().subtractMessages(bytes);
    resume();
  }

  /** Asks Jetty for a frame, if one may come now. Returns false if the connection must wait. */
  private boolean resume() {
    synchronized (this) {
      if (demanding || closed) {
        return true;
      }
      if (blocked && !draining) {
        return false; // until the InFlight admits it
      }
      if (!wantsMore()) {
        return false;
      }
      demand();
    }
    jetty.demand();
    return true;
  }

  /** Guarded by this. */
  private boolean wantsMore() {
    if (draining) {
      return !output.isPeerClosing(); // frames are dropped, up to the client's close
    }
    if (!output.wantsMore(MAX_UNSETTLED_BYTES)) {
      return false;
    }
    blocked = !streams.inFlight().mayRead(this, input.isPartial());
    return !blocked;
  }

  /** Guarded by this. */
  private void demand() {
    blocked = false;
    demanding = true;
    input.resume();
  }

  private synchronized void pause() {
    if (!demanding) {
      input.pause();
    }
  }

  @Override
  public boolean admit() {
    synchronized (this) {
      if (!blocked || demanding || closed) {
        return false;
      }
      demand();
    }
    jetty.demand();
    return true;
  }

  // --- Closing.

  /** Drops further messages, and closes when all received ones have their results. */
  void closeWith(int code) {
    synchronized (this) {
      draining = true;
    }
    output.close(code);
    output.flush();
    resume();
  }

  /** Closes the connection, as the server stops. Any thread may call it. */
  void shutDown() {
    closeWith(CloseStatus.SHUTDOWN);
  }

  @Override
  public void completed(long entries) {
    synchronized (this) {
      draining = true;
    }
    output.complete(entries, session.lastNumber(writer));
    output.flush();
    resume();
  }

  @Override
  public void deleted() {
    output.deleted();
    closeWith(CloseStatus.NORMAL);
  }

  @Override
  public void damaged() {
    closeWith(CloseStatus.SERVER_ERROR);
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    String reason = null;
    boolean ping;
    synchronized (this) {
      heardNanos = demanding ? heardNanos : nowNanos; // otherwise the client cannot be heard
      if (nowNanos - heardNanos > SILENCE_NANOS) {
        reason = "silent";
      } else if (input.isSlow(nowNanos, demanding)) {
        reason = SLOW_MESSAGE;
      }
      ping = nowNanos - pingedNanos > PING_NANOS;
      pingedNanos = ping ? nowNanos : pingedNanos;
    }
    if (output.isStuck(nowNanos, SILENCE_NANOS, LINGER_NANOS)) {
      reason = "silent";
    }
    if (reason != null) {
      drop(reason);
    } else if (ping) {
      output.ping();
      output.flush();
    }
  }

  @Override
  public void drop() {
    drop(SLOW_MESSAGE);
  }

  private void drop(String reason) {
    LOG.info("session={} connection={} dropped reason={}", sessionId, name, reason);
    streams.countDropped(reason);
    output.abort();
  }

  /** Removes users of the session, and releases it when none is left. */
  private void release(int released) {
    synchronized (this) {
      users -= released;
      if (users > 0) {
        return;
      }
    }
    streams.sessions().release(session);
  }
}
