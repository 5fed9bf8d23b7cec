package sessiontree.store.local;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** Streams over files of a {@link Disk}, from their beginnings. Each is for one thread. */
final class DiskStreams {
  private DiskStreams() {}

  /** Counts and sums up what is written. */
  private abstract static class Summed extends OutputStream {
    final Disk.DiskFile file;
    private final CRC32C crc = new CRC32C();
    private long position;

    Summed(Disk.DiskFile file) {
      this.file = file;
    }

    /** Takes the bytes that belong there. */
    abstract void take(byte[] bytes, int offset, int length, long position) throws IOException;

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      take(bytes, offset, length, position);
      crc.update(bytes, offset, length);
      position += length;
    }

    /** How many bytes were written. */
    long position() {
      return position;
    }

    /** Their checksum. */
    int crc() {
      return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** Writes a file from its beginning. */
  static final class Output extends Summed {
    Output(Disk.DiskFile file) {
      super(file);
    }

    @Override
    void take(byte[] bytes, int offset, int length, long position) throws IOException {
      file.write(ByteBuffer.wrap(bytes, offset, length), position);
    }
  }

  /** Compares what is written with what a file holds. */
  static final class Comparison extends Summed {
    private static final int BUFFER_BYTES = 1 << 16;

    private boolean same = true;

    Comparison(Disk.DiskFile file) {
      super(file);
    }

    @Override
    void take(byte[] bytes, int offset, int length, long position) throws IOException {
      ByteBuffer there = ByteBuffer.allocate(Math.min(length, BUFFER_BYTES));
      for (int at = 0; same && at < length; at += there.limit()) {
        there.clear().limit(Math.min(there.capacity(), length - at));
        int read = file.read(there, position + at);
        same =
            read == there.limit() && there.flip().equals(ByteBuffer.wrap(bytes, offset + at, read));
      }
    }

    /** All was written. */
    Comparison atEnd() throws IOException {
      same &= file.size() == position();
      return this;
    }

    boolean isSame() {
      return same;
    }
  }

  /** Reads a file from its beginning. */
  static final class Input extends InputStream {
    private final Disk.DiskFile file;
    private final long size;
    private long position;

    Input(Disk.DiskFile file, long size) {
      this.file = file;
      this.size = size;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (position >= size) {
        return -1;
      }
      int n = file.read(ByteBuffer.wrap(bytes, offset, length), position);
      position += n;
      return n == 0 && length > 0 ? -1 : n;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
