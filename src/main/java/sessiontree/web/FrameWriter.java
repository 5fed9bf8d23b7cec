package sessiontree.web;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Gathers frames of a server (RFC 6455, section 5.2), to be written at once. */
final class FrameWriter {
  /** Stands for no code (RFC 6455, section 7.1.5). */
  static final int NO_CODE = 1005;

  private static final int FIN = 0x80;
  private static final int SHORT_BYTES = 125;
  private static final int MAX_HEAD_BYTES = 10;

  private byte[] bytes = new byte[256];
  private int size;

  boolean isEmpty() {
    return size == 0;
  }

  void add(int opcode, byte... payload) {
    int needed = size + MAX_HEAD_BYTES + payload.length;
    if (needed > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(needed, 2 * bytes.length));
    }
    bytes[size++] = (byte) (FIN | opcode);
    if (payload.length <= SHORT_BYTES) {
      bytes[size++] = (byte) payload.length;
    } else if (payload.length <= 0xffff) {
      ByteBuffer.wrap(bytes, size, 3).put((byte) 126).putShort((short) payload.length);
      size += 3;
    } else {
      ByteBuffer.wrap(bytes, size, 9).put((byte) 127).putLong(payload.length);
      size += 9;
    }
    System.arraycopy(payload, 0, bytes, size, payload.length);
    size += payload.length;
  }

  /** A frame that closes the connection, and says why, unless that is {@link #NO_CODE}. */
  void addClose(int code) {
    if (code == NO_CODE) {
      add(FrameReader.CLOSE);
    } else {
      add(FrameReader.CLOSE, (byte) (code >>> 8), (byte) code);
    }
  }

  /** All of them; nothing is added after. */
  ByteBuffer bytes() {
    return ByteBuffer.wrap(bytes, 0, size);
  }
}
