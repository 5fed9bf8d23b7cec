package sessiontree.store.local;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import sessiontree.store.log.Disk;

/** Reads the lines of a journal file, skipping invalid ones. Not thread-safe. */
final class JournalReader implements Closeable {
  private final Disk.DiskFile file;
  private final long end;
  private final ByteBuffer buffer = ByteBuffer.allocate(16 << 10).limit(0);

  /** File offset of the first unread byte in the buffer. */
  private long position;

  /** Reads from one offset to another, or to the end of the file. */
  JournalReader(Disk.DiskFile file, long from, long to) throws IOException {
    this.file = file;
    this.position = from;
    this.end = Math.min(to, file.size());
  }

  /** Returns the next line; null at the end. Ignores a last line without a line break. */
  JournalLine next() throws IOException {
    do {
      for (int at = buffer.position(); at < buffer.limit(); at++) {
        if (buffer.get(at) == '\n') {
          JournalLine line = JournalLine.read(buffer.array(), buffer.position(), at);
          skip(at + 1 - buffer.position());
          if (line != null) {
            return line;
          }
        }
      }
    } while (fill());
    return null;
  }

  /** Returns the offset after the last line read. */
  long position() {
    return position;
  }

  private void skip(int bytes) {
    buffer.position(buffer.position() + bytes);
    position += bytes;
  }

  private boolean fill() throws IOException {
    if (buffer.remaining() == buffer.capacity()) { // longer than any valid line
      skip(buffer.remaining());
    }
    buffer.compact();
    long from = position + buffer.position();
    buffer.limit((int) Math.min(buffer.capacity(), buffer.position() + Math.max(0, end - from)));
    int read = file.read(buffer, from);
    buffer.flip();
    return read > 0;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
