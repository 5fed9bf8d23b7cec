package sessiontree.store.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.store.log.Checksum;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FileHeader;

/**
 * A file of sorted runs, one a session, written once and never changed. See the package's manual.
 * Safe for several threads. A deleted file stays readable for threads that have retained it.
 */
final class RunFile {
  static final int HEADER_BYTES = 32;
  static final int FOOTER_BYTES = 32;
  static final String FORMAT = "sessiontree.run3";

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

  /** Returns the file's number; younger files have greater numbers. */
  long number() {
    return number;
  }

  /** Returns whether the file holds everything needed of the files with lower numbers. */
  boolean isMerged() {
    return merged;
  }

  /** Returns the bytes of children that are still needed. */
  long liveBytes() {
    return liveBytes.get();
  }

  /** Returns the bytes of all children. */
  long bytes() {
    return bytes;
  }

  /** Returns the region of an entry, and counts it as needed. */
  Region claim(RunEntry entry) {
    live.incrementAndGet();
    liveBytes.addAndGet(entry.length());
    return new Region(
        this, entry.lsn(), entry.offset(), entry.length(), entry.count(), entry.crc());
  }

  /** Counts a region as not needed any more. Returns whether the file has no needed region left. */
  boolean retire(Region region) {
    liveBytes.addAndGet(-region.length());
    return live.decrementAndGet() == 0;
  }

  /** Returns whether the file has a region that nobody needs. */
  boolean hasGarbage() {
    return live.get() < sessions;
  }

  /** Returns whether the file has a region that is needed. */
  boolean isLive() {
    return live.get() > 0;
  }

  /** Keeps the file readable until it is released. Returns false if it is already closed. */
  boolean retain() {
    return users.getAndUpdate(n -> n == 0 ? 0 : n + 1) > 0;
  }

  void release() throws IOException {
    if (users.decrementAndGet() == 0) {
      file.close();
    }
  }

  /**
   * Opens a published file.
   *
   * @throws DamageException if it is incomplete or damaged
   */
  static RunFile open(Disk disk, Path path) throws IOException {
    Disk.DiskFile file = disk.open(path);
    try {
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
      file.read(header, 0);
      FileHeader.check(path, header.array(), HEADER_BYTES - 4, FORMAT);
      header.position(FileHeader.FORMAT_BYTES);
      RunFile run = new RunFile(path, file, header.getLong(), header.getInt() != 0);
      RunIndex index = run.index();
      run.bytes = index.offset() - HEADER_BYTES;
      run.sessions = index.sessions();
      return run;
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** Returns a reader of the file's index, sorted by session id. */
  RunIndex index() throws IOException {
    long size = file.size();
    ByteBuffer footer = ByteBuffer.allocate(FOOTER_BYTES);
    file.read(footer, Math.max(HEADER_BYTES, size - FOOTER_BYTES));
    long offset = footer.getLong(0);
    if (footer.hasRemaining()
        || Checksum.of(footer.array(), 0, FOOTER_BYTES - 4) != footer.getInt(FOOTER_BYTES - 4)
        || offset < HEADER_BYTES
        || offset > size - FOOTER_BYTES) {
      throw new DamageException(
          path, "footer at offset " + (size - FOOTER_BYTES) + " is missing or damaged");
    }
    return new RunIndex(
        path, file, offset, size - FOOTER_BYTES, footer.getLong(8), footer.getInt(16));
  }

  /**
   * Returns a region's children, read through a buffer of at most {@code bufferBytes}. A larger
   * child's text is in memory only from {@link Cursor#array} to the next move. The checksum is
   * verified at the end.
   */
  Cursor read(Region region, int bufferBytes) {
    long bytes = Math.max(Children.HEADER_BYTES, Math.min(bufferBytes, region.length()));
    return new RunCursor(path, file, region, (int) bytes);
  }

  /** Reads raw bytes from an offset; fewer if the file ends before. */
  void read(ByteBuffer to, long offset) throws IOException {
    file.read(to, offset);
  }
}
