package sessiontree.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.io.EndPoint;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.Utf8;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;

/**
 * One WebSocket that streams messages into a session. Messages that were read together are
 * submitted together; answers go out as they are known, many in one. No thread waits on its behalf.
 *
 * <p>Back-pressure: it is read from while the messages that are received and not answered, or whose
 * answers are not sent, are below a bound. So a client that sends faster than the disk writes, or
 * that does not read, is slowed by TCP.
 *
 * <p>One thread at a time reads; replies come by others, in the order of the messages. What both
 * touch is guarded by this; nothing is sent, and no other object is called, while it is held.
 */
final class StreamConnection extends WebSocket implements Session.Watcher, Inflow.Reader {
  private static final Logger LOG = LoggerFactory.getLogger(StreamConnection.class);

  /** Bytes received and not answered, at which no more is read; what is being read comes in. */
  private static final int MAX_UNANSWERED_BYTES = 256 << 10;

  /**
   * A read that brings less is answered before the next: what is sent meanwhile then comes in one,
   * and costs little more than one message. Nagle's algorithm (RFC 896) does so for segments.
   */
  private static final int LITTLE_BYTES = 16 << 10;

  /** What a message counts for besides its bytes. */
  private static final int MESSAGE_OVERHEAD_BYTES = 256;

  private static final long PING_NANOS = 20_000_000_000L;
  private static final long SILENCE_NANOS = 60_000_000_000L;

  /** How long the peer may take to answer a close. */
  private static final long LINGER_NANOS = 5_000_000_000L;

  // Close codes (RFC 6455, section 7.4.1).
  private static final int NOT_CLOSING = 0;
  private static final int NORMAL = 1000;
  private static final int SHUTDOWN = 1001;
  private static final int PROTOCOL_ERROR = 1002;
  private static final int BAD_PAYLOAD = 1007;
  private static final int MESSAGE_TOO_LARGE = 1009;
  private static final int SERVER_ERROR = 1011;

  private static final AtomicLong NAMES = new AtomicLong();

  private final long name = NAMES.incrementAndGet(); // in logs
  private final Streams streams;
  private final String sessionId;
  private final String writer;
  private final int maxMessageBytes;

  /** Written once, when it is opened; null if the session cannot be read. */
  private Session session;

  // Of the thread that reads: what the read has brought, and this connection does not know yet.
  private List<Message> burst;
  private int burstBytes;
  private byte[] burstPing;
  private int burstCode = NOT_CLOSING;
  private boolean burstClose;

  // All guarded by this.
  private boolean open; // OPEN is told
  private long received; // the number of the last message
  private long answered; // likewise; its reply is known
  private long answeredEntries;
  private boolean acknowledged; // there are answered messages that no ACK told of
  private FrameWriter answers = new FrameWriter(); // frames to be sent before that ACK
  private long heldBytes; // of a message that is not whole
  private boolean answerFirst; // before more is read
  private long unansweredBytes; // what messages count for until their answers are sent
  private long answeredBytes; // of these, what there are replies to
  private long sendingBytes; // of these, what is being sent
  private byte[] pong; // what is to be answered to the last ping
  private boolean pinging;
  private boolean sending;
  private Complete complete; // once the session is
  private byte[] farewell; // the last frame, once the session is deleted
  private int closing = NOT_CLOSING; // the code to close with when all is answered
  private boolean peerClosing; // it says nothing more
  private boolean finished; // a close is sent
  private boolean closed;
  private int awaited; // replies under way
  private long heardNanos = System.nanoTime();
  private long pingedNanos = heardNanos;
  private long sendingNanos; // when the last that was sent was sent

  StreamConnection(
      Streams streams,
      EndPoint endPoint,
      Executor executor,
      int inputBytes,
      int maxMessageBytes,
      String sessionId,
      String writer) {
    super(endPoint, executor, inputBytes, maxMessageBytes);
    this.streams = streams;
    this.sessionId = sessionId;
    this.writer = writer;
    this.maxMessageBytes = maxMessageBytes;
  }

  @Override
  void opened() {
    streams.add(this);
    try {
      session = streams.sessions().acquire(sessionId);
    } catch (ProblemException | IOException e) {
      LOG.error("session={} connection={} cannot be read: {}", sessionId, name, e.toString());
      closeWith(SERVER_ERROR);
      return;
    }
    awaited++;
    session.watch(this);
    session.sync(writer, this::synced);
    settled(); // for the watch: from here on completed() may come at any time
  }

  private void synced(long entries, long messages) {
    synchronized (this) {
      received = answered = messages;
      open = true;
      answers.add(
          FrameReader.TEXT,
          ascii(
              "{\"type\":\"OPEN\",\"session_id\":\""
                  + sessionId
                  + "\",\"entries\":"
                  + entries
                  + ",\"messages\":"
                  + messages
                  + "}"));
    }
    flush();
    resume();
  }

  // --- Receiving: by one thread at a time, which hands on a read as a whole.

  @Override
  boolean mayRead() {
    return finished
        || (open
            && !closed
            && !peerClosing
            && !answerFirst
            && unansweredBytes < MAX_UNANSWERED_BYTES);
  }

  @Override
  boolean hasRoom() {
    return finished || closed || streams.inflow().mayRead(this, heldBytes > 0);
  }

  @Override
  void turnOver() {
    streams.inflow().admitNext();
  }

  @Override
  public void message(byte[] bytes, int offset, int length, boolean text) {
    if (burstCode != NOT_CLOSING) {
      return; // what comes behind that is not received any more
    }
    Batch batch = null;
    ProblemException unreadable = null;
    if (!Utf8.isValid(bytes, offset, length)) {
      if (text) {
        burstCode = BAD_PAYLOAD;
        return;
      }
      unreadable = new ProblemException(Problem.INVALID_JSON, "the message is not UTF-8");
    } else {
      try {
        batch = MessageParser.parse(bytes, offset, length, sessionId);
      } catch (ProblemException e) {
        unreadable = e;
      }
    }
    add(length, batch, unreadable);
  }

  private void add(int length, Batch batch, ProblemException unreadable) {
    if (burst == null) {
      burst = new ArrayList<>();
    }
    burst.add(new Message(received + burst.size() + 1, batch, unreadable));
    burstBytes += length + MESSAGE_OVERHEAD_BYTES;
  }

  @Override
  public void tooBig() {
    if (burstCode == NOT_CLOSING) {
      add(
          0,
          null,
          new ProblemException(
              Problem.MESSAGE_TOO_BIG,
              "a message has at most " + maxMessageBytes + " bytes; this one has more"));
      burstCode = MESSAGE_TOO_LARGE;
    }
  }

  @Override
  public void control(int opcode, byte[] payload) {
    if (opcode == FrameReader.PING) {
      burstPing = payload; // the last is to be answered (RFC 6455, section 5.5.3)
    } else if (opcode == FrameReader.CLOSE) {
      burstClose = true;
      burstCode = burstCode == NOT_CLOSING ? closeCode(payload) : burstCode;
    }
  }

  /** What to close with when the client closes with that. */
  private static int closeCode(byte[] payload) {
    if (payload.length == 0) {
      return FrameWriter.NO_CODE;
    }
    int code = payload.length == 1 ? 0 : ByteBuffer.wrap(payload).getShort() & 0xffff;
    boolean valid =
        (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006))
            || (code >= 3000 && code < 5000);
    if (!valid) {
      return PROTOCOL_ERROR;
    }
    return Utf8.isValid(payload, 2, payload.length - 2) ? code : BAD_PAYLOAD;
  }

  @Override
  public void violation(String what) {
    LOG.debug("session={} connection={} breaks the protocol: {}", sessionId, name, what);
    burstCode = burstCode == NOT_CLOSING ? PROTOCOL_ERROR : burstCode;
  }

  @Override
  void received(int held) {
    List<Message> messages = burst;
    int bytes = burstBytes;
    boolean taken;
    boolean heldNoMore;
    boolean toBeFlushed;
    boolean over;
    long more;
    synchronized (this) {
      heardNanos = streams.nowNanos();
      taken = messages != null && !finished && !closed && closing == NOT_CLOSING;
      if (taken) {
        received += messages.size();
        unansweredBytes += bytes;
        awaited++;
        answerFirst = bytes < LITTLE_BYTES;
      }
      heldNoMore = heldBytes > 0 && (held == 0 || messages != null); // that message is whole
      more = closed ? 0 : held - heldBytes + (taken ? bytes : 0);
      heldBytes = closed ? 0 : held;
      closing = closing == NOT_CLOSING ? burstCode : closing;
      peerClosing |= burstClose;
      over = finished && !sending && burstClose; // both have said that they close
      pong = burstPing == null ? pong : burstPing;
      toBeFlushed = burstPing != null || burstCode != NOT_CLOSING;
    }
    burst = null;
    burstBytes = 0;
    burstPing = null;
    if (more < 0) {
      streams.inflow().subtract(-more);
    } else {
      streams.inflow().add(more);
    }
    if (heldNoMore) {
      streams.inflow().settled(this);
    }
    if (taken) {
      session.submit(writer, false, messages, new Answers(messages.size(), bytes));
    }
    if (over) {
      close();
    } else if (toBeFlushed) {
      flush();
    }
  }

  // --- Answering.

  /** Takes the replies to messages that were received together. */
  private final class Answers implements Reply {
    private final int bytes;
    private int left; // guarded by the connection

    Answers(int messages, int bytes) {
      this.left = messages;
      this.bytes = bytes;
    }

    @Override
    public void stored(int messages, long entries, boolean complete) {
      boolean last;
      synchronized (StreamConnection.this) {
        acknowledged = true;
        answeredEntries = entries;
        last = answered(messages);
      }
      if (last) {
        settled();
      }
    }

    @Override
    public void refused(ProblemException problem) {
      boolean last;
      synchronized (StreamConnection.this) {
        acknowledge();
        answers.add(FrameReader.TEXT, Problems.frame(answered + 1, problem));
        last = answered(1);
      }
      if (last) {
        settled();
      }
    }

    /** Guarded by the connection. */
    private boolean answered(int messages) {
      answered += messages;
      left -= messages;
      if (left == 0) {
        answeredBytes += bytes;
      }
      return left == 0;
    }

    @Override
    public void flush() {
      StreamConnection.this.flush();
    }
  }

  /** Guarded by this. */
  private void acknowledge() {
    if (acknowledged) {
      acknowledged = false;
      answers.add(
          FrameReader.TEXT,
          ascii(
              "{\"type\":\"ACK\",\"messages\":"
                  + answered
                  + ",\"entries\":"
                  + answeredEntries
                  + "}"));
    }
  }

  /**
   * What is known of the messages so far, and then, if the session is complete, that; or a close,
   * if that is due.
   */
  @Override
  synchronized ByteBuffer output() {
    if (finished || closed) {
      return null;
    }
    int code = NOT_CLOSING;
    if (complete != null) {
      answers.add(FrameReader.TEXT, complete.frame(sessionId, answered));
      code = NORMAL;
      answeredBytes = unansweredBytes; // the others get no answer of their own
    } else {
      acknowledge();
      if (closing != NOT_CLOSING && answered == received) {
        code = closing;
        if (farewell != null && !peerClosing) {
          answers.add(FrameReader.TEXT, farewell);
        }
      }
    }
    if (pong != null) {
      answers.add(FrameReader.PONG, pong);
      pong = null;
    }
    if (pinging) {
      answers.add(FrameReader.PING);
      pinging = false;
    }
    if (code != NOT_CLOSING) {
      finished = true;
      answers.addClose(code);
    }
    if (answers.isEmpty()) {
      return null;
    }
    ByteBuffer bytes = answers.bytes();
    answers = new FrameWriter();
    sendingBytes = answeredBytes;
    sending = true;
    sendingNanos = System.nanoTime();
    return bytes;
  }

  @Override
  void written() {
    long bytes;
    boolean last;
    boolean over;
    synchronized (this) {
      sending = false;
      answerFirst = false;
      last = finished;
      bytes = closed ? 0 : sendingBytes;
      answeredBytes -= bytes;
      unansweredBytes -= bytes;
      over = finished && peerClosing;
    }
    streams.inflow().subtract(bytes);
    if (over) {
      close();
      return;
    }
    if (last) { // the peer's close is read whatever room there is
      streams.inflow().forget(this);
      admit();
    }
    resume();
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
    closeWith(SHUTDOWN);
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
    closeWith(NORMAL);
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

  // --- The connection.

  /** Called about once a second. */
  void tick(long nowNanos) {
    boolean ping;
    boolean silent;
    synchronized (this) {
      if (!isListening()) {
        heardNanos = nowNanos; // what it says cannot be heard
      }
      // A client that is not read must take the answers that keep it from being read.
      silent =
          (finished && nowNanos - sendingNanos > LINGER_NANOS)
              || nowNanos - heardNanos > SILENCE_NANOS
              || (sending && nowNanos - sendingNanos > SILENCE_NANOS);
      ping = nowNanos - pingedNanos > PING_NANOS && !finished;
      if (ping) {
        pingedNanos = nowNanos;
        pinging = true;
      }
    }
    if (silent) {
      drop("silent");
    } else if (ping) {
      flush();
    }
  }

  @Override
  public void drop(String reason) {
    LOG.info("session={} connection={} dropped reason={}", sessionId, name, reason);
    streams.countDropped(reason);
    close();
  }

  @Override
  public void onClose(Throwable cause) {
    super.onClose(cause);
    streams.remove(this);
    if (session != null) {
      session.unwatch(this);
    }
    long bytes;
    synchronized (this) {
      closed = true;
      bytes = unansweredBytes + heldBytes;
      awaited++;
    }
    streams.inflow().subtract(bytes);
    streams.inflow().forget(this);
    streams.inflow().settled(this);
    if (session != null) {
      settled();
    }
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

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
