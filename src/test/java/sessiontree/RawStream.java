package sessiontree;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A stream into a session. The test writes its frames one by one, in any form (RFC 6455, section
 * 5.2). Starts no thread.
 */
final class RawStream implements StreamReplies, AutoCloseable {
  static final int CONTINUATION = 0;
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;

  private static final int FIN = 0x80;
  private static final int MASKED = 0x80;
  private static final byte[] MASK = {0x37, (byte) 0xfa, 0x21, 0x3d};
  private static final int DEADLINE_MILLIS = 60_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Socket socket;
  private final RawHttp handshake;

  /** A frame from the server. Its first byte holds FIN and the reserved bits besides the opcode. */
  record Frame(int first, byte[] payload) {
    int opcode() {
      return first & 0x0f;
    }
  }

  private RawStream(Socket socket, RawHttp handshake) {
    this.socket = socket;
    this.handshake = handshake;
  }

  static RawStream connect(int port, String id) throws IOException {
    return connect(port, id, "");
  }

  static RawStream connect(int port, String id, String query) throws IOException {
    return connect(port, id, query, "");
  }

  /** Connects with further header lines, each with its line end. */
  static RawStream connect(int port, String id, String query, String headers) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(DEADLINE_MILLIS);
    socket.setTcpNoDelay(true);
    String head = "GET /sessions/" + id + "/stream?" + query + " HTTP/1.1\r\nHost: localhost\r\n";
    byte[] request =
        (head + RawHttp.UPGRADE + headers + "\r\n").getBytes(StandardCharsets.US_ASCII);
    socket.getOutputStream().write(request);
    RawHttp reply = RawHttp.read(socket);
    if (reply.status() != 101) {
      socket.close();
      throw new IOException("no stream of session " + id + ": " + reply);
    }
    return new RawStream(socket, reply);
  }

  /** Returns a header of the handshake response, or null. */
  String header(String name) {
    return handshake.headers().get(name);
  }

  /** Sends a message in one text frame. */
  void send(String message) throws IOException {
    write(frame(TEXT, true, message.getBytes(StandardCharsets.UTF_8)));
  }

  void send(int opcode, boolean last, byte[] payload) throws IOException {
    write(frame(opcode, last, payload));
  }

  /** Returns the bytes of a masked frame. */
  static byte[] frame(int opcode, boolean last, byte[] payload) {
    ByteArrayOutputStream frame = new ByteArrayOutputStream(payload.length + 14);
    frame.write((last ? FIN : 0) | opcode);
    if (payload.length < 126) {
      frame.write(MASKED | payload.length);
    } else if (payload.length <= 0xffff) {
      frame.write(MASKED | 126);
      frame.writeBytes(ByteBuffer.allocate(2).putShort((short) payload.length).array());
    } else {
      frame.write(MASKED | 127);
      frame.writeBytes(ByteBuffer.allocate(8).putLong(payload.length).array());
    }
    frame.writeBytes(MASK);
    for (int i = 0; i < payload.length; i++) {
      frame.write(payload[i] ^ MASK[i & 3]);
    }
    return frame.toByteArray();
  }

  /** Writes bytes as they are, whether or not they are a frame. */
  void write(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
  }

  /** Sends no more, as if the client were gone. Frames from the server can still be read. */
  void cutOff() throws IOException {
    socket.shutdownOutput();
  }

  /** Closes the connection at once, with a reset. */
  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  Frame read() throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    int first = in.readUnsignedByte();
    long length = in.readUnsignedByte();
    if (length == 126) {
      length = in.readUnsignedShort();
    } else if (length == 127) {
      length = in.readLong();
    }
    byte[] payload = in.readNBytes(Math.toIntExact(length));
    if (payload.length < length) {
      throw new EOFException();
    }
    return new Frame(first, payload);
  }

  /** Returns the next frame that is not a ping. */
  Frame readPastPings() throws IOException {
    Frame frame = read();
    while (frame.opcode() == PING) {
      frame = read();
    }
    return frame;
  }

  @Override
  public JsonNode next() throws IOException {
    Frame frame = readPastPings();
    if (frame.opcode() == CLOSE) {
      throw new EOFException("the stream was closed with " + code(frame));
    }
    if (frame.opcode() != TEXT) {
      throw new AssertionError("expected a text frame, got one of opcode " + frame.opcode());
    }
    return JSON.readTree(frame.payload());
  }

  /** Returns the code of the close frame, which must be the next frame that is not a ping. */
  int closeCode() throws IOException {
    Frame frame = readPastPings();
    if (frame.opcode() != CLOSE) {
      String payload = new String(frame.payload(), StandardCharsets.UTF_8);
      throw new AssertionError("expected a close, got " + payload);
    }
    return code(frame);
  }

  private static int code(Frame close) {
    return ByteBuffer.wrap(close.payload()).getShort() & 0xffff;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
