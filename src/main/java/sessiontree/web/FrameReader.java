package sessiontree.web;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Takes the frames that a WebSocket client sends apart (RFC 6455, section 5), however they are cut:
 * unmasks them, eight bytes at a time, and puts fragments together. A message that lies whole in
 * what was read is handed on where it lies. Not safe for several threads.
 *
 * <p>Memory: none while it is between messages; else at most twice what was received of one.
 */
final class FrameReader {
  static final int CONTINUATION = 0;
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;

  /** What a payload of a control frame has at most. */
  static final int MAX_CONTROL_BYTES = 125;

  /** Two bytes, eight of length, four of mask. */
  private static final int MAX_HEAD_BYTES = 14;

  private static final int FIRST_PART_BYTES = 4 << 10;
  private static final int FIN = 0x80;
  private static final int RESERVED = 0x70;
  private static final int MASKED = 0x80;
  private static final int SHORT_LENGTH = 0x7f;
  private static final int LENGTH_IN_2 = 126;
  private static final int LENGTH_IN_8 = 127;
  private static final int NO_FRAME = -1;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LENGTH_16 =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle LENGTH_64 =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  /** Takes what frames hold, in the order sent. */
  interface Sink {
    /** A whole message. The array is the sink's until it returns. */
    void message(byte[] bytes, int offset, int length, boolean text);

    /** A message has more bytes than it may. It is passed over. */
    void tooBig();

    /** A frame of control. The payload is the sink's. */
    void control(int opcode, byte[] payload);

    /** The client does not keep to the protocol. Nothing more is read. */
    void violation(String what);
  }

  private final int maxMessageBytes;
  private final Sink sink;

  // A head that is cut.
  private final byte[] head = new byte[MAX_HEAD_BYTES];
  private int headBytes;

  // The frame that is read.
  private long left = NO_FRAME; // bytes of its payload
  private int opcode;
  private boolean last;
  private int mask; // the bytes' own, for the next four
  private byte[] control;
  private int controlBytes;

  // The message that is read.
  private boolean within; // it has begun, and not ended
  private boolean text;
  private boolean passedOver;
  private byte[] parts;
  private int partsBytes;

  private boolean violated;

  FrameReader(int maxMessageBytes, Sink sink) {
    this.maxMessageBytes = maxMessageBytes;
    this.sink = sink;
  }

  /** Bytes of a message that is not whole yet. */
  int held() {
    return partsBytes;
  }

  /** Reads all of these bytes, and changes them. */
  void read(byte[] bytes, int from, int to) {
    int i = from;
    while (!violated && (i < to || left == 0)) {
      i = left == NO_FRAME ? head(bytes, i, to) : payload(bytes, i, to);
    }
  }

  private int head(byte[] bytes, int from, int to) {
    if (headBytes == 0 && to - from >= MAX_HEAD_BYTES) {
      begin(bytes, from);
      return from + headLength(bytes[from + 1]);
    }
    int i = from;
    while (i < to && (headBytes < 2 || headBytes < headLength(head[1]))) {
      head[headBytes++] = bytes[i++];
    }
    if (headBytes >= 2 && headBytes == headLength(head[1])) {
      headBytes = 0;
      begin(head, 0);
    }
    return i;
  }

  private static int headLength(byte second) {
    int mask = (second & MASKED) == 0 ? 0 : Integer.BYTES;
    return switch (second & SHORT_LENGTH) {
      case LENGTH_IN_2 -> 4 + mask;
      case LENGTH_IN_8 -> 10 + mask;
      default -> 2 + mask;
    };
  }

  private void begin(byte[] bytes, int at) {
    int first = bytes[at];
    int second = bytes[at + 1];
    opcode = first & 0xf;
    last = (first & FIN) != 0;
    left =
        switch (second & SHORT_LENGTH) {
          case LENGTH_IN_2 -> (short) LENGTH_16.get(bytes, at + 2) & 0xffff;
          case LENGTH_IN_8 -> (long) LENGTH_64.get(bytes, at + 2);
          default -> second & SHORT_LENGTH;
        };
    String violation = violation(first, second);
    if (violation != null) {
      violated = true;
      parts = null;
      partsBytes = 0;
      sink.violation(violation);
      return;
    }
    mask = (int) INT.get(bytes, at + headLength(bytes[at + 1]) - Integer.BYTES);
    if (opcode >= CLOSE) {
      control = new byte[(int) left];
      controlBytes = 0;
    } else {
      if (opcode != CONTINUATION) {
        text = opcode == TEXT;
        passedOver = false;
      }
      within = !last;
      if (!passedOver && left > maxMessageBytes - partsBytes) {
        passedOver = true;
        parts = null;
        partsBytes = 0;
        sink.tooBig();
      }
    }
  }

  /** What is wrong with a frame's head, or null. */
  private String violation(int first, int second) {
    if ((second & MASKED) == 0) {
      return "a client's frames are masked";
    }
    if ((first & RESERVED) != 0) {
      return "a reserved bit is set";
    }
    if (left < 0) {
      return "a frame's length is negative";
    }
    return switch (opcode) {
      case CONTINUATION -> within ? null : "nothing is to be continued";
      case TEXT, BINARY -> within ? "a message begins within another" : null;
      case CLOSE, PING, PONG ->
          last && left <= MAX_CONTROL_BYTES ? null : "a control frame is long, or in fragments";
      default -> "a frame is of no known kind";
    };
  }

  private int payload(byte[] bytes, int from, int to) {
    int length = (int) Math.min(left, to - from);
    boolean ends = length == left;
    if (opcode >= CLOSE) {
      unmask(bytes, from, length);
      System.arraycopy(bytes, from, control, controlBytes, length);
      controlBytes += length;
      left -= length;
      if (ends) {
        left = NO_FRAME;
        byte[] whole = control;
        control = null;
        sink.control(opcode, whole);
      }
      return from + length;
    }
    if (!passedOver) {
      unmask(bytes, from, length);
      if (ends && last && partsBytes == 0) {
        left = NO_FRAME;
        sink.message(bytes, from, length, text);
        return from + length;
      }
      addPart(bytes, from, length);
    }
    left = ends ? NO_FRAME : left - length;
    if (ends && last && !passedOver) {
      byte[] whole = parts;
      int wholeBytes = partsBytes;
      parts = null;
      partsBytes = 0;
      sink.message(whole, 0, wholeBytes, text);
    }
    return from + length;
  }

  private void addPart(byte[] bytes, int from, int length) {
    int needed = partsBytes + length;
    if (parts == null || parts.length < needed) {
      long whole = partsBytes + left; // as far as is known
      long room = Math.min(maxMessageBytes, Math.max(FIRST_PART_BYTES, 2L * needed));
      int capacity = (int) (last ? Math.min(whole, room) : room);
      parts = parts == null ? new byte[capacity] : Arrays.copyOf(parts, capacity);
    }
    System.arraycopy(bytes, from, parts, partsBytes, length);
    partsBytes += length;
  }

  private void unmask(byte[] bytes, int from, int length) {
    int to = from + length;
    int i = from;
    long wide = (mask & 0xffffffffL) | ((long) mask << Integer.SIZE);
    for (; to - i >= Long.BYTES; i += Long.BYTES) {
      LONG.set(bytes, i, (long) LONG.get(bytes, i) ^ wide);
    }
    for (; i < to; i++) {
      bytes[i] ^= (byte) mask;
      mask = Integer.rotateRight(mask, Byte.SIZE);
    }
  }
}
