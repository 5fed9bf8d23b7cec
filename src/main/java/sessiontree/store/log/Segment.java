package sessiontree.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/**
 * A segment of the write-ahead log: a header, then records one after another. The manual in {@code
 * sessiontree.store.local} has the byte layout.
 */
final class Segment implements AutoCloseable {
  static final int HEADER_BYTES = 32;

  /** Bytes before a record's body: its length and its checksum, 4 bytes each. */
  static final int RECORD_HEADER_BYTES = 8;

  /** Bytes at the start of a body: the LSN, and the offset up to which the segment was durable. */
  static final int BODY_HEADER_BYTES = 16;

  private static final String SUFFIX = ".wal";
  private static final String FORMAT = "sessiontree.wal3";
  private static final int CHECKSUM_AT = FileHeader.FORMAT_BYTES + Long.BYTES;
  private static final int READ_BYTES = 256 << 10;

  private final Path path;
  private final long firstLsn;
  private final Disk.DiskFile file;
  private final Object identity;

  private Segment(Disk disk, Path path, long firstLsn, Disk.DiskFile file) throws IOException {
    this.path = path;
    this.firstLsn = firstLsn;
    this.file = file;
    this.identity = disk.identity(path);
  }

  static boolean isSegment(Path file) {
    return file.getFileName().toString().matches("[0-9a-f]{16}\\" + SUFFIX);
  }

  /** Returns the LSN in a segment's name. */
  static long firstLsn(Path file) {
    return Long.parseLong(file.getFileName().toString().substring(0, 16), 16);
  }

  /** Creates an empty segment, durably. */
  static Segment create(Disk disk, Path directory, long firstLsn) throws IOException {
    Path path = directory.resolve(String.format(Locale.ROOT, "%016x", firstLsn) + SUFFIX);
    Disk.DiskFile file = disk.create(path);
    try {
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
      header.put(FORMAT.getBytes(StandardCharsets.US_ASCII)).putLong(firstLsn);
      header.putInt(Checksum.of(header.array(), 0, header.position())).rewind();
      file.write(header, 0);
      file.force();
      disk.sync(directory);
      return new Segment(disk, path, firstLsn, file);
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Opens a segment. Returns null if it is the newest and its header is incomplete: it cannot hold
   * a record then.
   */
  static Segment open(Disk disk, Path path, boolean newest) throws IOException {
    Disk.DiskFile file = disk.open(path);
    try {
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
      file.read(header, 0);
      boolean whole = file.size() >= HEADER_BYTES;
      // The header is forced before the first record is written.
      if (newest
          && file.size() <= HEADER_BYTES
          && !(whole && FileHeader.checksumMatches(header.array(), CHECKSUM_AT))) {
        file.close();
        return null;
      }
      if (!whole) {
        throw new DamageException(
            path, "the file ends within its header, at offset " + file.size());
      }
      FileHeader.check(path, header.array(), CHECKSUM_AT, FORMAT);
      return new Segment(disk, path, header.getLong(FileHeader.FORMAT_BYTES), file);
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  Path path() {
    return path;
  }

  long firstLsn() {
    return firstLsn;
  }

  Disk.DiskFile file() {
    return file;
  }

  /** Returns whether the path still names the open file. */
  boolean isInPlace(Disk disk) throws IOException {
    return identity != null && identity.equals(disk.identity(path));
  }

  /**
   * Passes the records to {@code replay} in order; returns the end offset of the last one.
   *
   * @param newest whether the segment may end in a torn tail; in any other segment that is damage
   */
  long replay(boolean newest, WriteAheadLog.Replay replay) throws IOException {
    long size = file.size();
    Reader reader = new Reader(size);
    long lsn = firstLsn;
    for (ByteBuffer body; (body = reader.next(lsn)) != null; lsn++) {
      if (!replay.record(lsn, body)) {
        throw new DamageException(
            path, "invalid payload of record " + lsn + ", which ends at offset " + reader.position);
      }
    }
    if (reader.position < size && !(newest && isTornTail(reader.position, size, lsn))) {
      throw new DamageException(
          path, "damaged record at offset " + reader.position + ": " + reader.invalidBecause);
    }
    return reader.position;
  }

  /** Returns the end offset of the last valid record that ends at or before {@code limit}. */
  long verify(long limit) throws IOException {
    Reader reader = new Reader(Math.min(limit, file.size()));
    for (long lsn = firstLsn; reader.next(lsn) != null; lsn++) {}
    return reader.position;
  }

  /**
   * Returns whether the bytes after the last valid record can be a torn tail: a group that was
   * being written when the power failed. They cannot if a later record is valid and says that this
   * offset was already durable when that record was written.
   */
  private boolean isTornTail(long from, long size, long lsn) throws IOException {
    byte[] tail = new byte[Math.toIntExact(size - from)];
    file.read(ByteBuffer.wrap(tail), from);
    ByteBuffer buffer = ByteBuffer.wrap(tail);
    for (int i = 1; i + RECORD_HEADER_BYTES + BODY_HEADER_BYTES <= tail.length; i++) {
      int length = buffer.getInt(i);
      int body = i + RECORD_HEADER_BYTES;
      if (length < BODY_HEADER_BYTES || length > tail.length - body) {
        continue;
      }
      long found = buffer.getLong(body);
      long synced = buffer.getLong(body + Long.BYTES);
      if (found > lsn
          && found - lsn <= tail.length
          && synced > from
          && Checksum.of(tail, body, length) == buffer.getInt(i + 4)) {
        return false;
      }
    }
    return true;
  }

  /**
   * Makes everything before {@code offset} durable, and truncates the file there. If a force failed
   * before the last process ended, bytes can be readable although they are not on disk, and another
   * force would not write their pages. So all of them are written again.
   */
  void rewrite(long offset) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(READ_BYTES);
    for (long at = 0; at < offset; at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), offset - at));
      if (file.read(buffer, at) < buffer.limit()) {
        throw new DamageException(path, "the file ends before offset " + offset);
      }
      file.write(buffer.flip(), at);
    }
    truncate(offset);
  }

  /** Truncates the file to {@code offset}, durably. */
  void truncate(long offset) throws IOException {
    file.truncate(offset);
    file.force();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /** Reads records one by one through a buffer. */
  private final class Reader {
    private final long limit;
    private long position = HEADER_BYTES;
    private ByteBuffer buffer = ByteBuffer.allocate(READ_BYTES).limit(0);
    private String invalidBecause = "the file ends within it";

    Reader(long limit) {
      this.limit = limit;
    }

    /**
     * Returns the payload of the next record, valid until the next call; null at the end of the
     * file, or if the bytes are not a valid record with that number.
     */
    ByteBuffer next(long lsn) throws IOException {
      if (!fill(RECORD_HEADER_BYTES)) {
        return null;
      }
      int length = buffer.getInt(buffer.position());
      int expected = buffer.getInt(buffer.position() + 4);
      if (length < BODY_HEADER_BYTES || length > limit - position - RECORD_HEADER_BYTES) {
        invalidBecause = "its length is " + length;
        return null;
      }
      if (!fill(RECORD_HEADER_BYTES + length)) {
        return null;
      }
      int body = buffer.position() + RECORD_HEADER_BYTES;
      int actual = Checksum.of(buffer.array(), body, length);
      if (actual != expected) {
        invalidBecause =
            String.format("checksum mismatch: expected %08x, got %08x", expected, actual);
        return null;
      }
      long found = buffer.getLong(body);
      if (found != lsn) {
        invalidBecause = "expected record " + lsn + ", got " + found;
        return null;
      }
      buffer.position(body + length);
      position += RECORD_HEADER_BYTES + length;
      return buffer.slice(body + BODY_HEADER_BYTES, length - BODY_HEADER_BYTES);
    }

    /** Returns whether the buffer has the next {@code bytes} bytes; reads them up to the limit. */
    private boolean fill(int bytes) throws IOException {
      if (buffer.remaining() >= bytes) {
        return true;
      }
      if (bytes > limit - position) {
        return false;
      }
      if (bytes > buffer.capacity()) {
        buffer = ByteBuffer.allocate(bytes).put(buffer).flip();
      }
      buffer.compact();
      long from = position + buffer.position();
      buffer.limit((int) Math.min(buffer.capacity(), buffer.position() + limit - from));
      file.read(buffer, from);
      buffer.flip();
      return buffer.remaining() >= bytes;
    }
  }
}
