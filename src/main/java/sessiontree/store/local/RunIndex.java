package sessiontree.store.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;

/** Reads a {@link RunFile}'s index, sorted by id; verifies the checksum after the last entry. */
final class RunIndex {
  private static final int BUFFER_BYTES = 64 << 10;

  private final Path path;
  private final Disk.DiskFile file;
  private final long offset;
  private final long end;
  private final long sessions;
  private final int expected;
  private final CRC32C crc = new CRC32C();
  private ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).limit(0);
  private long left;

  RunIndex(Path path, Disk.DiskFile file, long offset, long end, long sessions, int expected) {
    this.path = path;
    this.file = file;
    this.offset = offset;
    this.end = end;
    this.sessions = sessions;
    this.expected = expected;
    this.left = end - offset;
  }

  /** Returns the file offset at which the regions end and the index begins. */
  long offset() {
    return offset;
  }

  /** Returns how many entries the index has. */
  long sessions() {
    return sessions;
  }

  /** Returns the next entry; null after the last one. */
  RunEntry next() throws IOException {
    if (left == 0 && !buffer.hasRemaining()) {
      if ((int) crc.getValue() != expected) {
        throw damaged();
      }
      return null;
    }
    need(Integer.BYTES);
    int length = buffer.getInt();
    if (length < 0 || length > left + buffer.remaining()) {
      throw damaged();
    }
    need(length);
    int from = buffer.position();
    buffer.position(from + length);
    try {
      return RunEntry.read(buffer.slice(from, length));
    } catch (RuntimeException e) { // the entry's inner lengths are invalid
      throw damaged();
    }
  }

  private void need(int bytes) throws IOException {
    if (buffer.remaining() >= bytes) {
      return;
    }
    if (bytes > buffer.capacity()) {
      buffer = ByteBuffer.allocate(bytes).put(buffer).flip();
    }
    buffer.compact();
    int begin = buffer.position();
    buffer.limit((int) Math.min(buffer.capacity(), begin + left));
    int read = file.read(buffer, end - left);
    crc.update(buffer.array(), begin, read);
    left -= read;
    buffer.flip();
    if (buffer.remaining() < bytes) {
      throw damaged();
    }
  }

  private DamageException damaged() {
    return new DamageException(path, "damaged index between offsets " + offset + " and " + end);
  }
}
