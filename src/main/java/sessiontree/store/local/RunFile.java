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
 * A file of sorted runs, one a session, written at once and never changed. See the package's
 * manual. Safe for several threads; it stays readable for those that retained it when it is
 * deleted.
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
      RunIndex index = run.index();
      run.bytes = index.offset() - HEADER_BYTES;
      run.sessions = index.sessions();
      return run;
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /** The sessions of the file, by ascending id. */
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
          path, "no footer at offset " + (size - FOOTER_BYTES) + ": the file was cut");
    }
    return new RunIndex(
        path, file, offset, size - FOOTER_BYTES, footer.getLong(8), footer.getInt(16));
  }

  /**
   * The children of a region, through a buffer of that size. What is larger is in memory only from
   * when its text is asked for until the next move. Checked when the last has been passed.
   */
  Cursor read(Region region, int bufferBytes) {
    long bytes = Math.max(Children.HEADER_BYTES, Math.min(bufferBytes, region.length()));
    return new RunCursor(path, file, region, (int) bytes);
  }

  /** Reads bytes from an offset on, as they are; fewer where the file ends. */
  void read(ByteBuffer to, long offset) throws IOException {
    file.read(to, offset);
  }
}
