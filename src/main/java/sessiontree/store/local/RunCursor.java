package sessiontree.store.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;

/** Reads the children of a region of a {@link RunFile}; verifies the checksum at its end. */
final class RunCursor implements Cursor {
  private final Path path;
  private final Disk.DiskFile file;
  private final Region region;
  private final CRC32C crc = new CRC32C();
  private final byte[] buffer;
  private int at;
  private int filled;
  private long left; // bytes of the region not read yet
  private long key;
  private int length;
  private byte[] large; // the child's text if it was read and exceeds the buffer, or null

  RunCursor(Path path, Disk.DiskFile file, Region region, int bufferBytes) {
    this.path = path;
    this.file = file;
    this.region = region;
    this.buffer = new byte[bufferBytes];
    this.left = region.length();
  }

  @Override
  public boolean next() throws IOException {
    pass(large == null ? length : 0);
    large = null;
    length = 0;
    if (at == filled && left == 0) {
      if ((int) crc.getValue() != region.crc()) {
        throw new DamageException(
            path,
            String.format(
                "checksum mismatch at offset %d: expected %08x, got %08x",
                region.offset(), region.crc(), crc.getValue()));
      }
      return false;
    }
    need(Children.HEADER_BYTES);
    key = Children.key(buffer, at);
    int bytes = Children.length(buffer, at);
    at += Children.HEADER_BYTES;
    if (bytes < 0 || bytes > left + filled - at) {
      throw new DamageException(path, "damaged child in the region at offset " + region.offset());
    }
    length = bytes;
    return true;
  }

  /** Skips bytes, whether they are in the buffer or not read yet. */
  private void pass(int bytes) throws IOException {
    int rest = bytes;
    while (rest > filled - at) {
      rest -= filled - at;
      at = filled;
      need(Math.min(rest, buffer.length));
    }
    at += rest;
  }

  /** Makes at least {@code bytes} available in the buffer, whose size they do not exceed. */
  private void need(int bytes) throws IOException {
    if (filled - at >= bytes) {
      return;
    }
    System.arraycopy(buffer, at, buffer, 0, filled - at);
    filled -= at;
    at = 0;
    int wanted = (int) Math.min(left, buffer.length - filled);
    int read = read(buffer, filled, wanted);
    filled += read;
    if (filled < bytes) {
      throw ended();
    }
  }

  private int read(byte[] to, int offset, int wanted) throws IOException {
    int read =
        file.read(ByteBuffer.wrap(to, offset, wanted), region.offset() + region.length() - left);
    crc.update(to, offset, read);
    left -= read;
    return read;
  }

  private DamageException ended() {
    return new DamageException(
        path, "the file ends within the region at offset " + region.offset());
  }

  @Override
  public long key() {
    return key;
  }

  @Override
  public byte[] array() throws IOException {
    if (large == null && length > buffer.length) {
      byte[] whole = new byte[length];
      int here = filled - at;
      System.arraycopy(buffer, at, whole, 0, here);
      at = filled;
      if (read(whole, here, length - here) < length - here) {
        throw ended();
      }
      large = whole;
    } else if (large == null) {
      need(length);
    }
    return large == null ? buffer : large;
  }

  @Override
  public int offset() {
    return large == null ? at : 0;
  }

  @Override
  public int length() {
    return length;
  }
}
