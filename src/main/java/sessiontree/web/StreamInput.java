package sessiontree.web;

import java.nio.ByteBuffer;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OpCode;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.Utf8;

/**
 * Makes messages of the frames that a stream receives. Counts the memory of a partial message among
 * the in-flight bytes, and that of Jetty's buffer while the connection is not read. Frames come one
 * after another; methods that say so are safe for any thread.
 */
final class StreamInput {
  private final StreamConnection connection;
  private final Streams streams;
  private final CoreSession jetty;
  private final String sessionId;

  // Owned by the thread that reads a frame; Jetty's locks publish them to the next one. The partial
  // message is cleared when the connection is closed, but not while that thread adds to it.
  private final PartialMessage partial = new PartialMessage();
  private boolean text; // whether the current message is text
  private boolean large; // whether Jetty's buffer is large

  // All guarded by this, but the thread that reads a frame may read what only it writes.
  private boolean begun; // whether a part of a message has come, be it empty
  private long partialBytes; // in-flight bytes for the partial message's memory
  private long partialNanos; // when the partial message began; advanced while it is not read
  private long pausedBytes; // in-flight bytes for Jetty's buffer while no frame is requested
  private boolean adding; // while a part is added, or the complete message is parsed
  private boolean closed;

  StreamInput(StreamConnection connection, Streams streams, CoreSession jetty, String sessionId) {
    this.connection = connection;
    this.streams = streams;
    this.jetty = jetty;
    this.sessionId = sessionId;
  }

  /** Takes a data frame, or a part of one. */
  void add(Frame frame) {
    ByteBuffer part = frame.getPayload();
    if (frame.getOpCode() != OpCode.CONTINUATION) {
      text = frame.getOpCode() == OpCode.TEXT;
    }
    boolean fits = part.remaining() <= streams.maxMessageBytes() - partial.length();
    if (fits && frame.isFin() && !begun && part.hasArray()) {
      parse(part.array(), part.arrayOffset() + part.position(), part.remaining());
      return;
    }
    synchronized (this) {
      if (closed) {
        return;
      }
      adding = true;
    }
    try {
      if (!fits) {
        clear();
        connection.receive(0, null, Problems.tooBig(streams.maxMessageBytes()));
        connection.closeWith(CloseStatus.MESSAGE_TOO_LARGE);
      } else if (frame.isFin()) {
        partial.add(part);
        parse(partial.array(), 0, partial.length());
        clear();
      } else {
        addPartial(part);
      }
    } finally {
      added();
    }
  }

  private void added() {
    boolean over;
    synchronized (this) {
      adding = false;
      over = closed;
    }
    if (over) {
      free();
    }
  }

  private void addPartial(ByteBuffer part) {
    if (partial.length() + part.remaining() >= Streams.SMALL_INPUT_BYTES) {
      readMoreAtOnce();
    }
    partial.add(part);
    synchronized (this) {
      partialNanos = begun ? partialNanos : streams.nowNanos();
      begun = true;
      countPartial(partial.allocated());
    }
  }

  private void parse(byte[] bytes, int offset, int length) {
    try {
      if (Utf8.isValid(bytes, offset, length)) {
        connection.receive(length, MessageParser.parse(bytes, offset, length, sessionId), null);
      } else if (text) {
        connection.closeWith(CloseStatus.BAD_PAYLOAD);
      } else {
        throw new ProblemException(Problem.INVALID_JSON, "the message is not UTF-8");
      }
    } catch (ProblemException e) {
      connection.receive(length, null, e);
    }
  }

  /** Enlarges Jetty's buffer from the next read on, for a client that sends much. */
  void readMoreAtOnce() {
    if (!large) {
      large = true;
      jetty.setInputBufferSize(streams.inputBytes());
    }
  }

  /** Discards the partial message, which is complete, or never will be. */
  void clear() {
    if (begun) {
      partial.clear();
      synchronized (this) {
        begun = false;
        countPartial(0);
      }
      streams.inFlight().endExemption(connection);
    }
  }

  /** Guarded by this. */
  private void countPartial(long bytes) {
    streams.inFlight().add(bytes - partialBytes);
    partialBytes = bytes;
  }

  /** Returns whether a partial message takes memory. Safe for any thread. */
  synchronized boolean isPartial() {
    return partialBytes > 0;
  }

  /**
   * Returns whether a partial message takes too long. Call it about once a second, from any thread.
   *
   * @param reading whether the connection is being read
   */
  synchronized boolean isSlow(long nowNanos, boolean reading) {
    InFlight inFlight = streams.inFlight();
    if (!reading && !inFlight.isScarce()) { // the client is not slow, and nobody needs its room
      partialNanos = nowNanos;
    }
    return begun && nowNanos - partialNanos > inFlight.messageNanos();
  }

  /** Counts the buffer, which Jetty may still hold, as it may have delivered only a part of it. */
  synchronized void pause() {
    if (!closed) {
      pausedBytes = large ? streams.inputBytes() : Streams.SMALL_INPUT_BYTES;
      streams.inFlight().add(pausedBytes);
    }
  }

  /** Frees the bytes of the buffer, as the connection is read again. Safe for any thread. */
  synchronized void resume() {
    streams.inFlight().add(-pausedBytes);
    pausedBytes = 0;
  }

  /** Frees all bytes; those of a message that is being handled, when it has been. */
  void close() {
    boolean idle;
    synchronized (this) {
      closed = true;
      idle = !adding;
    }
    if (idle) {
      free();
    }
  }

  private void free() {
    partial.clear(); // Jetty may hold the connection for some time
    long freed;
    synchronized (this) {
      freed = partialBytes + pausedBytes;
      partialBytes = 0;
      pausedBytes = 0;
    }
    streams.inFlight().subtract(freed);
    streams.inFlight().endExemption(connection);
  }
}
