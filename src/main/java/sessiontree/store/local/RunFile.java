package sessiontree.store.local;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32C;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FileHeader;

/**
 * A file of sorted runs, one a session, written at once and never changed. See the package's
 * manual. Safe for several threads; it stays readable for those who retained it when it is deleted.
 */
final class RunFile {
  static final int HEADER_BYTES = 32;
  private static final int INDEX_BUFFER_BYTES = 64 << 10;
  static final int FOOTER_BYTES = 32;
  private static final String FORMAT = "sessiontree.run3";

  private final Path path;
  private final Disk.DiskFile file;

  private final long number;
  private final boolean merged;

  private final AtomicInteger users = new AtomicInteger(1);
  private final AtomicInteger live = new AtomicInteger();
  private final AtomicLong liveBytes = new AtomicLong();
  private long bytes;
  private long sessions;

  private RunFile(Path path, Disk.DiskFile file, long number, boolean merged) {
    this.path = path;
    this.file = file;
    this.number = number;
    this.merged = merged;
  }

  Path path() {
    return path;
  }

  /** Files are in order of age by their numbers. */
  long number() {
    return number;
  }

  /** Whether all that was needed of the files with lesser numbers is in this one. */
  boolean isMerged() {
    return merged;
  }

  /** Bytes of children that are still needed. */
  long liveBytes() {
    return liveBytes.get();
  }

  /** Bytes of children. */
  long bytes() {
    return bytes;
  }

  /** Takes the region of an entry into use. */
  Region region(RunEntry entry) {
    live.incrementAndGet();
    liveBytes.addAndGet(entry.length());
    return new Region(
        this, entry.lsn(), entry.offset(), entry.length(), entry.count(), entry.crc());
  }

  /** A region is not needed any more; returns whether none is. */
  boolean retire(Region region) {
    liveBytes.addAndGet(-region.length());
    return live.decrementAndGet() == 0;
  }

  /** Whether it holds anything that nobody needs. */
  boolean hasGarbage() {
    return live.get() < sessions;
  }

  /** Whether a region of it is needed. */
  boolean isLive() {
    return live.get() > 0;
  }

  /** Keeps it readable until it is released; false if it is closed already. */
  boolean retain() {
    return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
  }

  void release() throws IOException {
    if (users.decrementAndGet() == 0) {
      file.close();
    }
  }

  /**
   * Opens a file that was published.
   *
   * @throws DamageException if it is not whole
   */
  static RunFile open(Disk disk, Path path) throws IOException {
    Disk.DiskFile file = disk.open(path);
    try {
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
      file.read(header, 0);
      FileHeader.check(path, header.array(), HEADER_BYTES - 4, FORMAT);
      header.position(FileHeader.FORMAT_BYTES);
      RunFile run = new RunFile(path, file, header.getLong(), header.getInt() != 0);
      Index index = run.index();
      run.bytes = index.begin - HEADER_BYTES;
      run.sessions = index.sessions;
      return run;
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** The sessions of the file, by ascending id. */
  Index index() throws IOException {
    long size = file.size();
    ByteBuffer footer = ByteBuffer.allocate(FOOTER_BYTES);
    file.read(footer, Math.max(HEADER_BYTES, size - FOOTER_BYTES));
    long offset = footer.getLong(0);
    if (footer.hasRemaining()
        || crc(footer.array(), FOOTER_BYTES - 4) != footer.getInt(FOOTER_BYTES - 4)
        || offset < HEADER_BYTES
        || offset > size - FOOTER_BYTES) {
      throw new DamageException(
          path, "no footer at offset " + (size - FOOTER_BYTES) + ": the file was cut");
    }
    return new Index(offset, size - FOOTER_BYTES - offset, footer.getLong(8), footer.getInt(16));
  }

  /** Reads the index entry by entry; its checksum is checked behind the last. */
  final class Index {
    private final long begin;
    private final long offset; // where it ends
    private final long sessions;
    private final int expected;
    private final CRC32C crc = new CRC32C();
    private ByteBuffer buffer = ByteBuffer.allocate(INDEX_BUFFER_BYTES).limit(0);
    private long left;

    Index(long offset, long length, long sessions, int expected) {
      this.begin = offset;
      this.sessions = sessions;
      this.offset = offset + length;
      this.left = length;
      this.expected = expected;
    }

    /** Null behind the last. */
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
      } catch (RuntimeException e) { // its lengths make no sense
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
      int read = file.read(buffer, offset - left);
      crc.update(buffer.array(), begin, read);
      left -= read;
      buffer.flip();
      if (buffer.remaining() < bytes) {
        throw damaged();
      }
    }

    private DamageException damaged() {
      return new DamageException(path, "damaged index before offset " + offset);
    }
  }

  /**
   * The children of a region, through a buffer of that size. What is larger is in memory only from
   * when its text is asked for until the next move. Checked when the last has been passed.
   */
  Cursor read(Region region, int bufferBytes) {
    long bytes = Math.max(Children.HEADER_BYTES, Math.min(bufferBytes, region.length()));
    return new RegionCursor(region, (int) bytes);
  }

  private static int crc(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private final class RegionCursor implements Cursor {
    private final Region region;
    private final CRC32C crc = new CRC32C();
    private final byte[] buffer;
    private int at;
    private int filled;
    private long left; // bytes of the region that were not read yet
    private long key;
    private int length;
    private byte[] large; // the child's text, if the buffer does not hold it

    RegionCursor(Region region, int bufferBytes) {
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

    /** Passes over bytes, whether they were read or not. */
    private void pass(int bytes) throws IOException {
      int rest = bytes;
      while (rest > filled - at) {
        rest -= filled - at;
        at = filled;
        need(Math.min(rest, buffer.length));
      }
      at += rest;
    }

    /** Has so many bytes in the buffer, which is not smaller. */
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

  /** Writes a file, session after session. */
  static final class Writer implements AutoCloseable {
    private static final int BUFFER_BYTES = 256 << 10;

    /** So much goes to the disk at once: the log, which waits behind it, must not wait long. */
    private static final int FORCED_BYTES = 4 << 20;

    private static final int COPIED_BYTES = 64 << 10;

    private final Disk.DiskFile file;
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private final ByteArrayOutputStream index = new ByteArrayOutputStream();
    private final CRC32C crc = new CRC32C();
    private int used;
    private int summed; // up to there the buffer is in the checksum
    private long position;
    private long forced; // up to there
    private long sessions;

    /**
     * Begins a file.
     *
     * @param merged whether it is written in the place of all files with lesser numbers
     */
    Writer(Disk.DiskFile file, long number, boolean merged) {
      this.file = file;
      ByteBuffer header = ByteBuffer.wrap(buffer);
      header.put(FORMAT.getBytes(StandardCharsets.US_ASCII)).putLong(number).putInt(merged ? 1 : 0);
      header.position(HEADER_BYTES - 4).putInt(crc(buffer, HEADER_BYTES - 4));
      used = HEADER_BYTES;
    }

    /** Adds a session's children; returns the entry with their place. */
    RunEntry add(RunEntry state, Cursor children) throws IOException {
      long offset = position + used;
      int count = 0;
      begin();
      try {
        while (children.next()) {
          byte[] child = children.array();
          int length = children.length();
          if (BUFFER_BYTES - used < Children.HEADER_BYTES) {
            flush();
          }
          Children.putHeader(buffer, used, children.key(), length);
          used += Children.HEADER_BYTES;
          put(child, children.offset(), length);
          count++;
        }
      } catch (DamageException e) { // what follows takes its place
        used = (int) Math.max(0, offset - position);
        position = Math.min(position, offset);
        throw e;
      }
      sum();
      return ended(state, offset, count, (int) crc.getValue());
    }

    /**
     * Adds a session of which a region is damaged: all bytes as they are, under a checksum that is
     * not theirs. So the damage stays, and is found by whoever reads them. They take no less room
     * than what {@link #add} may have written of them before.
     */
    RunEntry addDamaged(RunEntry state, List<Region> regions) throws IOException {
      long offset = position + used;
      int count = 0;
      begin();
      byte[] part = new byte[COPIED_BYTES];
      for (Region region : regions) {
        count += region.count();
        for (long at = 0; at < region.length(); at += part.length) {
          int length = (int) Math.min(part.length, region.length() - at);
          Arrays.fill(part, (byte) 0); // if the file ends before
          region.file().file.read(ByteBuffer.wrap(part, 0, length), region.offset() + at);
          put(part, 0, length);
        }
      }
      sum();
      return ended(state, offset, count, ~(int) crc.getValue());
    }

    private void begin() {
      crc.reset();
      summed = used;
    }

    private RunEntry ended(RunEntry state, long offset, int count, int checksum) {
      RunEntry entry = state.at(offset, position + used - offset, count, checksum);
      index.writeBytes(entry.bytes());
      sessions++;
      return entry;
    }

    private void put(byte[] bytes, int offset, int length) throws IOException {
      for (int i = 0; i < length; ) {
        int n = Math.min(length - i, BUFFER_BYTES - used);
        System.arraycopy(bytes, offset + i, buffer, used, n);
        used += n;
        i += n;
        if (used == BUFFER_BYTES) {
          flush();
        }
      }
    }

    private void sum() {
      crc.update(buffer, summed, used - summed);
      summed = used;
    }

    private void flush() throws IOException {
      sum();
      file.write(ByteBuffer.wrap(buffer, 0, used), position);
      position += used;
      used = 0;
      summed = 0;
      if (position - forced >= FORCED_BYTES) {
        file.force();
        forced = position;
      }
    }

    /** Writes the index, and makes the file durable. */
    void finish() throws IOException {
      long indexOffset = position + used;
      byte[] bytes = index.toByteArray();
      put(bytes, 0, bytes.length);
      flush();
      ByteBuffer footer = ByteBuffer.wrap(buffer, 0, FOOTER_BYTES);
      footer.putLong(indexOffset).putLong(sessions).putInt(crc(bytes, bytes.length)).putLong(0);
      footer.putInt(crc(buffer, FOOTER_BYTES - 4));
      used = FOOTER_BYTES;
      flush();
      file.force();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
