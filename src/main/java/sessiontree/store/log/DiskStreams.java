package sessiontree.store.log;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/** Streams over files of a {@link Disk}, from their beginnings. Each is for one thread. */
public final class DiskStreams {
  private DiskStreams() {}

  /** Writes a file from its beginning. */
  public static final class Output extends OutputStream {
    private final Disk.DiskFile file;
    private long position;

    public Output(Disk.DiskFile file) {
      this.file = file;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      file.write(ByteBuffer.wrap(bytes, offset, length), position);
      position += length;
    }

    /** Returns how many bytes were written. */
    public long position() {
      return position;
    }

    /** Makes the written bytes durable. */
    public void force() throws IOException {
      file.force();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** Reads a file from its beginning. */
  public static final class Input extends InputStream {
    private final Disk.DiskFile file;
    private final long size;
    private long position;

    public Input(Disk.DiskFile file, long size) {
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
