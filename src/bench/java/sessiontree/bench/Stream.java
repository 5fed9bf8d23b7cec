package sessiontree.bench;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A WebSocket client on a session's stream. It understands only what the servers under test send:
 * text frames that begin with their type, pings, and a close.
 */
abstract class Stream extends Peer {
  private static final int TYPE_AT = "{\"type\":\"".length();
  private static final int SINGLE_ACK_BYTES = "{\"type\":\"ACK\"}".length();
  private static final int NUMBER_AT = "{\"type\":\"ACK\",\"messages\":".length();
  private static final int NORMAL = 1000;
  private static final int TEXT = 1;
  private static final int CLOSE = 8;
  private static final int PING = 9;
  private static final int PONG = 10;

  private ByteBuffer request;
  private ByteBuffer control; // a pong or close to send
  private boolean upgraded;
  private boolean closing;
  private boolean complete;
  private long acked;

  Stream(Loop loop, int port, String id) throws IOException {
    super(loop, port);
    request =
        ascii(
            "GET /sessions/"
                + id
                + "/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: c2Vzc2lvbnRyZWViZW5jaA==\r\n\r\n");
  }

  private static ByteBuffer ascii(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** Returns the next frame to send, which the caller may consume; null if there is none now. */
  abstract ByteBuffer frame();

  /** Called when the server has accepted the connection. */
  void opened() throws IOException {}

  /** Called when {@code messages} of the connection's messages are acknowledged in total. */
  void acked(long messages) throws IOException {}

  /** Called when the session has its tree. */
  void completed() {}

  @Override
  final ByteBuffer next() {
    ByteBuffer next = request;
    if (next != null) {
      request = null;
      return next;
    }
    next = control;
    if (next != null) {
      control = null;
      return next;
    }
    return upgraded && !closing ? frame() : null;
  }

  @Override
  final void received(ByteBuffer in) throws IOException {
    if (!upgraded && !upgrade(in)) {
      return;
    }
    long before = acked;
    while (in.remaining() >= 2) {
      int start = in.position();
      int length = in.get(start + 1);
      int head = 2;
      if (length == 126) {
        if (in.remaining() < 4) {
          break;
        }
        length = in.getShort(start + 2) & 0xffff;
        head = 4;
      } else if (length > 126 || length < 0) {
        throw new IOException("frame from the server is longer than expected");
      }
      if (in.remaining() < head + length) {
        break;
      }
      take(in, in.get(start) & 0xf, start + head, length);
      in.position(start + head + length);
    }
    if (acked > before) {
      acked(acked);
    }
  }

  private boolean upgrade(ByteBuffer in) throws IOException {
    for (int i = in.position(); i + 4 <= in.limit(); i++) {
      if (in.getInt(i) == 0x0d0a0d0a) {
        String head = text(in, in.position(), i - in.position());
        if (!head.startsWith("HTTP/1.1 101 ")) {
          throw new IOException(
              "WebSocket upgrade refused: " + head.lines().findFirst().orElse(""));
        }
        in.position(i + 4);
        upgraded = true;
        opened();
        wake();
        return true;
      }
    }
    return false;
  }

  private void take(ByteBuffer in, int opcode, int at, int length) throws IOException {
    switch (opcode) {
      case TEXT -> {
        switch (in.get(at + TYPE_AT)) {
          case 'A' -> acked = length == SINGLE_ACK_BYTES ? acked + 1 : number(in, at);
          case 'C' -> {
            complete = true;
            completed();
          }
          case 'O' -> {} // OPEN
          default -> throw new IOException(text(in, at, length));
        }
      }
      case PING -> send(PONG, in, at, length);
      case CLOSE -> {
        int code = length < 2 ? 0 : in.getShort(at) & 0xffff;
        if (code != NORMAL || !complete) {
          throw new IOException("closed with " + code + (complete ? "" : " before COMPLETE"));
        }
        send(CLOSE, in, at, length); // then the server ends the connection
        closing = true;
      }
      default -> throw new IOException("unexpected frame with opcode " + opcode);
    }
  }

  private void send(int opcode, ByteBuffer in, int at, int length) throws IOException {
    byte[] payload = new byte[length];
    in.get(at, payload);
    control = Frames.masked(opcode, payload);
    wake();
  }

  private static long number(ByteBuffer in, int at) {
    long number = 0;
    for (int i = at + NUMBER_AT; in.get(i) >= '0' && in.get(i) <= '9'; i++) {
      number = number * 10 + in.get(i) - '0';
    }
    return number;
  }

  private static String text(ByteBuffer in, int at, int length) {
    byte[] bytes = new byte[length];
    in.get(at, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  @Override
  final void ended(IOException failure) {
    if (failure == null && !complete) {
      failure = new EOFException("the connection ended before COMPLETE");
    }
    done(failure);
  }

  /**
   * Called when the connection has ended.
   *
   * @param failure the cause; null if the session is complete
   */
  abstract void done(IOException failure);
}
