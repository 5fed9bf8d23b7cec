package sessiontree.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritePendingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.WebSocketCoreSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.Utf8;
import sessiontree.session.Reply;
import sessiontree.session.Session;

/**
 * One WebSocket that streams messages into a session. Frames come as the bytes that were read, in
 * parts of any size; answers go out as they are known, many in one. No thread waits on its behalf.
 *
 * <p>Back-pressure: it asks for frames while the messages that are received and not answered, or
 * whose answers are not sent, are below a bound. So a client that sends faster than the disk
 * writes, or that does not read, is slowed by TCP.
 *
 * <p>Jetty calls it by one thread at a time; replies come by others. What both touch is guarded by
 * this; nothing is sent, and no other object is called, while it is held.
 */
final class StreamConnection implements FrameHandler, Session.Watcher {
  private static final Logger LOG = LoggerFactory.getLogger(StreamConnection.class);

  /**
   * Bytes received and not answered, at which no more is read; a message that is being received is
   * taken whole.
   */
  private static final int MAX_UNANSWERED_BYTES = 256 << 10;

  /** What a message counts for besides its bytes. */
  private static final int MESSAGE_OVERHEAD_BYTES = 256;

  private static final int FIRST_PART_BYTES = 4 << 10;
  private static final long PING_NANOS = 20_000_000_000L;

  /** How old an answer is at most when it is sent, while others are under way. */
  private static final long GATHER_NANOS = 5_000_000;

  private static final long SILENCE_NANOS = 60_000_000_000L;

  /** How long the peer may take to answer a close. */
  private static final long LINGER_NANOS = 5_000_000_000L;

  /** For messages that come in one part: parsed before the thread does anything else. */
  private static final ThreadLocal<byte[]> WHOLE =
      ThreadLocal.withInitial(() -> new byte[16 << 10]);

  private static final int NOT_CLOSING = 0;

  private static final AtomicLong NAMES = new AtomicLong();

  private final long name; // in logs
  private final Streams streams;
  private final String sessionId;
  private final String writer;
  private final int maxMessageBytes;

  // Of the thread that Jetty calls by.
  private byte[] parts;
  private int partsLength;
  private boolean text;

  // Written once, in onOpen.
  private CoreSession wire;
  private Session session;

  // All guarded by this.
  private final ArrayDeque<Message> unanswered = new ArrayDeque<>(4);
  private long unansweredBytes;
  private long partBytes; // of the message that is being received
  private long received; // the number of the last message
  private long answered;
  private boolean open; // OPEN was sent
  private boolean sending;
  private boolean demanded;
  private Complete complete; // once the session is
  private byte[] farewell; // the last frame, once the session is deleted
  private int closing = NOT_CLOSING; // the code to close with when all is answered
  private boolean finished; // a close was sent
  private boolean closed;
  private Callback peerClose;
  private int awaited; // replies under way
  private int unreplied; // those of messages
  private volatile Message lastReplied;
  private long heardNanos = System.nanoTime();
  private long pingedNanos = heardNanos;
  private long sendingNanos; // when the last that was sent was sent

  StreamConnection(Streams streams, String sessionId, String writer, int maxMessageBytes) {
    this.name = NAMES.incrementAndGet();
    this.streams = streams;
    this.sessionId = sessionId;
    this.writer = writer;
    this.maxMessageBytes = maxMessageBytes;
  }

  @Override
  public void onOpen(CoreSession coreSession, Callback callback) {
    wire = coreSession;
    try {
      session = streams.sessions().acquire(sessionId);
    } catch (ProblemException | IOException e) {
      LOG.error("session={} connection={} cannot be read: {}", sessionId, name, e.toString());
      callback.succeeded();
      wire.close(CloseStatus.SERVER_ERROR, "the session cannot be read", Callback.NOOP);
      return;
    }
    callback.succeeded();
    streams.add(this);
    awaited++;
    session.watch(this);
    session.sync(writer, this::synced);
    settled(); // for the watch: from here on completed() may come at any time
  }

  private void synced(long entries, long messages) {
    synchronized (this) {
      if (finished || closed) {
        return;
      }
      received = answered = messages;
      open = true;
      sending = true;
      sendingNanos = System.nanoTime();
    }
    send(
        List.of(
            ascii(
                "{\"type\":\"OPEN\",\"session_id\":\""
                    + sessionId
                    + "\",\"entries\":"
                    + entries
                    + ",\"messages\":"
                    + messages
                    + "}")),
        Callback.from(() -> sent(0), failure -> sent(0)));
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    boolean over;
    boolean ignored;
    synchronized (this) {
      demanded = false;
      heardNanos = streams.nowNanos();
      over = finished;
      ignored = finished || closing != NOT_CLOSING;
    }
    switch (frame.getOpCode()) {
      case OpCode.PING -> {
        if (over) {
          callback.succeeded();
          break;
        }
        // The next frame is asked for when this is sent, so a client that only pings costs no
        // memory.
        Frame pong = new Frame(OpCode.PONG, copy(frame.getPayload()));
        callback.succeeded();
        wire.sendFrame(pong, Callback.from(this::demand), false);
        return;
      }
      case OpCode.CLOSE -> {
        if (over) {
          wire.abort(); // both have said that they close
          callback.succeeded();
          return;
        }
        synchronized (this) {
          peerClose = callback;
        }
        flush();
        return;
      }
      case OpCode.PONG -> callback.succeeded();
      default -> {
        try {
          if (!ignored) {
            data(frame);
          }
        } finally {
          callback.succeeded();
        }
      }
    }
    demand();
  }

  private void data(Frame frame) {
    if (frame.getOpCode() != OpCode.CONTINUATION) {
      text = frame.getOpCode() == OpCode.TEXT;
    }
    ByteBuffer payload = frame.getPayload();
    int length = payload.remaining();
    if (length > maxMessageBytes - partsLength) {
      parts = null;
      partsLength = 0;
      dropParts();
      submit(
          0,
          null,
          new ProblemException(
              Problem.MESSAGE_TOO_BIG,
              "a message has at most " + maxMessageBytes + " bytes; this one has more"));
      closeWith(CloseStatus.MESSAGE_TOO_LARGE);
      return;
    }
    if (frame.isFin() && partsLength == 0 && length <= WHOLE.get().length) {
      byte[] whole = WHOLE.get();
      payload.get(whole, 0, length);
      message(whole, length);
      return;
    }
    if (parts == null) {
      parts = new byte[Math.max(length, FIRST_PART_BYTES)];
    } else if (parts.length - partsLength < length) {
      parts =
          Arrays.copyOf(
              parts, Math.max(partsLength + length, Math.min(maxMessageBytes, parts.length * 2)));
    }
    payload.get(parts, partsLength, length);
    partsLength += length;
    held(length);
    if (frame.isFin()) {
      byte[] whole = parts;
      int wholeLength = partsLength;
      partsLength = 0;
      parts = null;
      message(whole, wholeLength);
      dropParts();
    }
  }

  private void held(int bytes) {
    synchronized (this) {
      partBytes += bytes;
    }
    streams.inflow().add(bytes);
  }

  private void dropParts() {
    long dropped;
    synchronized (this) {
      dropped = partBytes;
      partBytes = 0;
    }
    if (dropped > 0) {
      streams.inflow().subtract(dropped);
      streams.inflow().settled(this);
    }
  }

  private void message(byte[] bytes, int length) {
    Batch batch = null;
    ProblemException unreadable = null;
    if (!Utf8.isValid(bytes, 0, length)) {
      if (text) {
        closeWith(CloseStatus.BAD_PAYLOAD);
        return;
      }
      unreadable = new ProblemException(Problem.INVALID_JSON, "the message is not UTF-8");
    } else {
      try {
        batch = MessageParser.parse(bytes, 0, length, sessionId);
      } catch (ProblemException e) {
        unreadable = e;
      }
    }
    submit(length, batch, unreadable);
  }

  private void submit(int length, Batch batch, ProblemException unreadable) {
    Message message;
    synchronized (this) {
      if (finished || closed) {
        return; // it came too late to be answered
      }
      message = new Message(++received, length + MESSAGE_OVERHEAD_BYTES);
      unanswered.add(message);
      unansweredBytes += message.bytes;
      unreplied++;
      awaited++;
    }
    streams.inflow().add(message.bytes);
    session.submit(writer, message.number, false, batch, unreadable, message);
  }

  /** Closes when all that was received is answered. */
  private void closeWith(int code) {
    synchronized (this) {
      closing = closing == NOT_CLOSING ? code : closing;
    }
    flush();
  }

  /**
   * Takes nothing more, and closes when all that was received is answered. Any thread may ask for
   * it.
   */
  void shutDown() {
    closeWith(CloseStatus.SHUTDOWN);
  }

  /** Guarded by this. */
  private boolean mayRead() {
    return open
        && unansweredBytes < MAX_UNANSWERED_BYTES
        && streams.inflow().mayRead(this, partBytes > 0);
  }

  /** Asks Jetty for the next frame, unless it is asked already, or enough is unanswered. */
  void demand() {
    synchronized (this) {
      if (demanded || closed || !(finished || mayRead())) {
        return;
      }
      heardNanos = streams.nowNanos(); // what it said before could not be heard
      demanded = true;
    }
    wire.demand();
  }

  /**
   * Whether answers can wait for others that are under way, so that one frame tells of many: a
   * frame costs more than to store a small message. They never wait for long, and a client that
   * sends nothing more without an answer does not wait at all. Guarded by this.
   */
  private boolean mayGather() {
    return unreplied > 0
        && complete == null
        && unansweredBytes < MAX_UNANSWERED_BYTES / 2
        && System.nanoTime() - sendingNanos < GATHER_NANOS;
  }

  /**
   * Sends what is known of the messages at the head of the queue, and then, if the session is
   * complete, that; unless something is on its way out: then after it.
   */
  private void flush() {
    List<byte[]> frames = new ArrayList<>(1);
    long bytes;
    int code = NOT_CLOSING;
    Callback close = null;
    synchronized (this) {
      if (sending || finished || closed || mayGather()) {
        return;
      }
      bytes = takeAnswered(frames, complete == null);
      if (complete != null) {
        frames.add(complete.frame(sessionId, answered));
        bytes += dropUnanswered();
        code = CloseStatus.NORMAL;
      } else if (frames.isEmpty() && unanswered.isEmpty()) {
        close = peerClose;
        code = closing;
        if (farewell != null && close == null) {
          frames.add(farewell);
        }
      }
      finished = close != null || code != NOT_CLOSING;
      sending = !frames.isEmpty();
      sendingNanos = System.nanoTime();
    }
    if (!frames.isEmpty()) {
      long answeredBytes = bytes;
      send(frames, Callback.from(() -> sent(answeredBytes), failure -> sent(answeredBytes)));
    }
    if (close != null) {
      close.succeeded(); // Jetty answers the peer's close
    } else if (code != NOT_CLOSING) {
      close(code);
      demand(); // for the peer's answer
    }
  }

  /**
   * Says that it closes, and goes on to read, and drop, until the peer has answered. Jetty does so
   * for ordinary codes. For others it closes the connection at once; and if anything the peer sent
   * is unread then, TCP resets it, and the peer may never see why. So these are written beneath it.
   */
  private void close(int code) {
    if (code == CloseStatus.NORMAL) {
      wire.close(code, null, Callback.NOOP);
      return;
    }
    ByteBuffer frame =
        ByteBuffer.allocate(4).put((byte) 0x88).put((byte) 2).putShort((short) code).flip();
    try {
      ((WebSocketCoreSession) wire).getConnection().getEndPoint().write(Callback.NOOP, frame);
    } catch (WritePendingException e) { // a ping is on its way
      wire.close(code, null, Callback.NOOP);
    }
  }

  /**
   * Takes the messages whose replies are known off the head of the queue. Guarded by this.
   *
   * @param ackLast whether the last are to be acknowledged, if they are stored
   * @return how many bytes they count for
   */
  private long takeAnswered(List<byte[]> frames, boolean ackLast) {
    long bytes = 0;
    Message stored = null;
    for (Message head; (head = unanswered.peek()) != null && head.replied; ) {
      unanswered.poll();
      bytes += head.bytes;
      answered = head.number;
      if (head.problem == null) {
        stored = head;
        continue;
      }
      if (stored != null) {
        frames.add(stored.ack());
        stored = null;
      }
      frames.add(Problems.frame(head.number, head.problem));
    }
    if (stored != null && ackLast) {
      frames.add(stored.ack());
    }
    return bytes;
  }

  /**
   * Forgets messages that get no answer of their own. Guarded by this. Returns how many bytes they
   * count for.
   */
  private long dropUnanswered() {
    long bytes = 0;
    for (Message message : unanswered) {
      bytes += message.bytes;
    }
    unanswered.clear();
    return bytes;
  }

  private void sent(long bytes) {
    synchronized (this) {
      sending = false;
      unansweredBytes -= bytes;
    }
    streams.inflow().subtract(bytes);
    flush();
    demand();
  }

  @Override
  public void completed(long entries) {
    long messages = session.lastNumber(writer);
    synchronized (this) {
      complete = new Complete(entries, messages);
    }
    flush();
  }

  @Override
  public void deleted() {
    synchronized (this) {
      farewell =
          Problems.frame(
              0, new ProblemException(Problem.SESSION_DELETED, "the session was deleted"));
    }
    closeWith(CloseStatus.NORMAL);
  }

  /** That the session is complete, and the number of this writer's last message that is stored. */
  private record Complete(long entries, long messages) {
    byte[] frame(String sessionId, long answered) {
      return ascii(
          "{\"type\":\"COMPLETE\",\"session_id\":\""
              + sessionId
              + "\",\"messages\":"
              + Math.max(answered, messages)
              + ",\"entries\":"
              + entries
              + ",\"location\":\"/sessions/"
              + sessionId
              + "\"}");
    }
  }

  private void send(List<byte[]> frames, Callback callback) {
    int last = frames.size() - 1;
    for (int i = 0; i <= last; i++) {
      Frame frame = new Frame(OpCode.TEXT, ByteBuffer.wrap(frames.get(i)));
      wire.sendFrame(frame, i == last ? callback : Callback.NOOP, i < last);
    }
  }

  /** Called about once a second. */
  void tick(long nowNanos) {
    boolean ping;
    boolean silent;
    synchronized (this) {
      // A client that is not read cannot be heard; but then it must take the answers that keep it
      // from being read.
      silent =
          (finished && nowNanos - sendingNanos > LINGER_NANOS)
              || (demanded && nowNanos - heardNanos > SILENCE_NANOS)
              || (sending && nowNanos - sendingNanos > SILENCE_NANOS);
      ping = nowNanos - pingedNanos > PING_NANOS && !finished;
      if (ping) {
        pingedNanos = nowNanos;
      }
    }
    if (silent) {
      drop("silent");
    } else if (ping) {
      wire.sendFrame(new Frame(OpCode.PING), Callback.NOOP, false);
    }
  }

  /** Cuts the connection off. */
  void drop(String reason) {
    LOG.info("session={} connection={} dropped reason={}", sessionId, name, reason);
    streams.countDropped(reason);
    wire.abort();
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    LOG.debug("session={} connection={} failed: {}", sessionId, name, cause.toString());
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    if (session != null) {
      streams.remove(this);
      session.unwatch(this);
      long bytes;
      synchronized (this) {
        closed = true;
        bytes = dropUnanswered();
        unansweredBytes -= bytes;
        awaited++;
      }
      streams.inflow().subtract(bytes);
      streams.inflow().forget(this);
      dropParts();
      settled();
    }
    callback.succeeded();
  }

  /**
   * One reply less is under way; after the last one of a closed connection its session is given
   * back.
   */
  private void settled() {
    synchronized (this) {
      awaited--;
      if (!closed || awaited > 0) {
        return;
      }
    }
    streams.sessions().release(session);
  }

  private static ByteBuffer copy(ByteBuffer payload) {
    return payload == null ? null : ByteBuffer.allocate(payload.remaining()).put(payload).flip();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** A message that was received, until its answer is sent. Guarded by the connection. */
  private final class Message implements Reply {
    private final long number;
    private final int bytes;
    private boolean replied;
    private long entries;
    private ProblemException problem;

    Message(long number, int bytes) {
      this.number = number;
      this.bytes = bytes;
    }

    @Override
    public void stored(long entries, boolean complete) {
      reply(entries, null);
    }

    @Override
    public void refused(ProblemException problem) {
      reply(0, problem);
    }

    private void reply(long entries, ProblemException problem) {
      synchronized (StreamConnection.this) {
        this.entries = entries;
        this.problem = problem;
        replied = true;
        unreplied--;
        lastReplied = this;
      }
      settled();
    }

    /** The last of those that were told together does it for all. */
    @Override
    public void flush() {
      if (lastReplied == this) {
        StreamConnection.this.flush();
      }
    }

    byte[] ack() {
      return ascii("{\"type\":\"ACK\",\"messages\":" + number + ",\"entries\":" + entries + "}");
    }
  }
}
