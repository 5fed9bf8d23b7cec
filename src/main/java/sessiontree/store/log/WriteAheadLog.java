package sessiontree.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A write-ahead log in segment files. {@link #add} appends records, and {@link #commit} makes all
 * of them durable at once. If one of the two fails, {@link #rollback} undoes everything since the
 * last commit.
 *
 * <p>Not safe for several threads: owned by the log thread, unless a method allows any thread.
 */
public final class WriteAheadLog implements AutoCloseable {
  /** Limit of the bytes that {@link Body#putHead} puts. */
  public static final int MAX_HEAD_BYTES = 4096;

  /** A record's payload, opaque to the log; it comes in two parts to save a copy. */
  public interface Body {
    /** Puts the first part into {@code to}. */
    void putHead(ByteBuffer to);

    /** Returns the second part. */
    byte[] tail();
  }

  /** Receives the log's records in order during recovery. */
  public interface Replay {
    /**
     * Handles the record with that LSN; {@code bytes} are valid until this method returns. Returns
     * false if they are not a valid payload: then the log is damaged.
     */
    boolean record(long lsn, ByteBuffer bytes) throws IOException;
  }

  private static final Logger LOG = LoggerFactory.getLogger(WriteAheadLog.class);
  private static final int STAGING_BYTES = 1 << 20;

  /**
   * Number of zero bytes that are written behind a group which extends the file. The next groups
   * overwrite them, so that their force writes no new file length, and takes two thirds of the
   * time. A group of more than a quarter of this size gains nothing, and writes none. PostgreSQL
   * preallocates its log files likewise.
   */
  private static final int PREALLOCATED_BYTES = 256 << 10;

  private final Disk disk;
  private final Path directory;
  private final long segmentBytes;
  private final ByteBuffer head =
      ByteBuffer.allocate(Segment.RECORD_HEADER_BYTES + Segment.BODY_HEADER_BYTES + MAX_HEAD_BYTES);
  private final ByteBuffer staging = ByteBuffer.allocateDirect(STAGING_BYTES);
  private final ByteBuffer zeros = ByteBuffer.allocateDirect(PREALLOCATED_BYTES);
  private final CRC32C crc = new CRC32C();

  /** Written by the log thread, within {@code synchronized (sealed)} once the log is open. */
  private Segment segment;

  private final SealedSegments sealed;

  /** Offset up to which the segment is durable. */
  private long committedEnd;

  /** Offset in the segment at which the staged bytes will be written. */
  private long writtenEnd;

  /**
   * Offset where the preallocated zeros end; there are none if it is at most {@link #writtenEnd}.
   */
  private long preallocatedEnd;

  /** Whether preallocating this segment failed for lack of space. */
  private boolean preallocationFailed;

  private long committedLsn;
  private long lsn;

  /** Whether a write or force failed and the file was not cut back to the last commit since. */
  private boolean needsCutBack;

  /**
   * Creates the log of a directory; call {@link #recover} before anything else.
   *
   * @param segmentBytes size at which a segment takes no more records
   */
  public WriteAheadLog(Disk disk, Path directory, long segmentBytes) {
    this.disk = disk;
    this.directory = directory;
    this.segmentBytes = segmentBytes;
    this.sealed = new SealedSegments(disk, directory);
  }

  /**
   * Replays the records in the directory, and repairs a torn tail.
   *
   * @throws DamageException if an acknowledged record is damaged or missing
   */
  public void recover(Replay replay) throws IOException {
    disk.createDirectories(directory);
    disk.sync(directory); // the last process may have named files just before it ended
    long needed = sealed.checkpoint();
    List<Path> files = new ArrayList<>(disk.list(directory));
    files.removeIf(file -> !Segment.isSegment(file));
    while (files.size() > 1 && Segment.firstLsn(files.get(1)) <= needed) {
      // A checkpoint deleted this segment, but power was lost before that was durable.
      disk.delete(files.remove(0));
    }
    for (int i = 0; i < files.size(); i++) {
      boolean newest = i == files.size() - 1;
      Segment opened = Segment.open(disk, files.get(i), newest);
      if (opened == null) { // its creation was interrupted
        disk.delete(files.get(i));
        continue;
      }
      boolean follows = i == 0 ? opened.firstLsn() <= needed : opened.firstLsn() == lsn + 1;
      if (!follows || opened.firstLsn() != Segment.firstLsn(files.get(i))) {
        throw new DamageException(
            files.get(i),
            "expected to begin with record "
                + (i == 0 ? needed + " or before" : lsn + 1)
                + ", got "
                + opened.firstLsn()
                + ": a segment before it is missing");
      }
      if (newest) { // readable bytes may not be durable: rewrite them before they are used
        opened.rewrite(opened.replay(true, (number, bytes) -> true));
      }
      lsn = opened.firstLsn() - 1;
      long previous = committedEnd;
      committedEnd =
          opened.replay(
              newest,
              (number, bytes) -> {
                lsn = number;
                return replay.record(number, bytes);
              });
      if (segment != null) {
        segment.close();
      }
      activate(opened, previous);
    }
    writtenEnd = preallocatedEnd = committedEnd;
    committedLsn = lsn;
    if (segment == null) {
      if (needed > 1) {
        throw new DamageException(directory, "expected record " + needed + ", got no segment");
      }
      roll();
    }
  }

  /** Adds a record, whose LSN is {@link #nextLsn}; it is durable when {@link #commit} returns. */
  public void add(Body record) throws IOException {
    if (needsCutBack) {
      throw new IOException("the log has not been cut back since a write failed");
    }
    if (writtenEnd + staging.position() == committedEnd && committedEnd >= segmentBytes) {
      roll();
    }
    head.clear().position(Segment.RECORD_HEADER_BYTES);
    head.putLong(lsn + 1).putLong(committedEnd);
    record.putHead(head);
    int headBytes = head.position() - Segment.RECORD_HEADER_BYTES;
    crc.reset();
    crc.update(head.array(), Segment.RECORD_HEADER_BYTES, headBytes);
    byte[] tail = record.tail();
    crc.update(tail);
    head.putInt(0, headBytes + tail.length).putInt(4, (int) crc.getValue());
    stage(head.array(), head.position());
    stage(tail, tail.length);
    lsn++;
  }

  /** Returns the LSN of the next record. */
  public long nextLsn() {
    return lsn + 1;
  }

  private void stage(byte[] bytes, int length) throws IOException {
    for (int i = 0; i < length; ) {
      int n = Math.min(length - i, staging.remaining());
      staging.put(bytes, i, n);
      i += n;
      if (!staging.hasRemaining()) {
        flush();
      }
    }
  }

  private void flush() throws IOException {
    staging.flip();
    int bytes = staging.remaining();
    segment.file().write(staging, writtenEnd);
    writtenEnd += bytes;
    staging.clear();
  }

  /** Makes all added records durable. */
  public void commit() throws IOException {
    flush();
    if (writtenEnd > preallocatedEnd
        && writtenEnd - committedEnd < PREALLOCATED_BYTES / 4
        && !preallocationFailed) {
      preallocate();
    }
    segment.file().force();
    committedEnd = writtenEnd;
    committedLsn = lsn;
  }

  private void preallocate() throws IOException {
    zeros.clear().limit((int) Math.min(PREALLOCATED_BYTES, Math.max(0, segmentBytes - writtenEnd)));
    preallocatedEnd = writtenEnd + zeros.limit();
    try {
      segment.file().write(zeros, writtenEnd);
    } catch (IOException e) { // the records are already written; only the zeros failed
      LOG.debug("there is no room for zeros behind the log: {}", e.toString());
      segment.file().truncate(writtenEnd);
      preallocatedEnd = writtenEnd;
      preallocationFailed = true;
    }
  }

  /**
   * Forgets the records added since the last commit. Nothing can be added until {@link #cutBack}
   * has removed them from the file.
   */
  public void rollback() {
    staging.clear();
    writtenEnd = committedEnd;
    lsn = committedLsn;
    needsCutBack = true;
  }

  /**
   * Cuts the file back to the last commit, if a write or a force has failed since. After a failed
   * force nobody knows what is on disk, and a second force could succeed and mean nothing: so the
   * file is reopened and all its records are read before anything is added.
   */
  public void cutBack() throws IOException {
    if (!needsCutBack) {
      return;
    }
    segment.close();
    Segment reopened = Segment.open(disk, segment.path(), false);
    long sound = reopened.verify(committedEnd);
    if (sound < committedEnd) {
      reopened.close();
      throw new DamageException(
          segment.path(), "expected valid records up to offset " + committedEnd + ", got " + sound);
    }
    synchronized (sealed) {
      segment = reopened;
    }
    truncateToCommit();
    needsCutBack = false;
  }

  /** Seals the active segment unless it is empty. Every added record must be committed. */
  public void seal() throws IOException {
    if (needsCutBack) {
      throw new IOException("the log has not been cut back since a write failed");
    }
    if (committedEnd > Segment.HEADER_BYTES) {
      roll();
    }
  }

  /** Truncates the file to the last commit, durably. */
  private void truncateToCommit() throws IOException {
    segment.truncate(committedEnd);
    preallocatedEnd = committedEnd;
  }

  private void roll() throws IOException {
    if (preallocatedEnd > committedEnd) { // sealed early; only the newest segment may have zeros
      truncateToCommit();
    }
    Segment next = Segment.create(disk, directory, lsn + 1);
    if (segment != null) {
      segment.close();
    }
    activate(next, committedEnd);
    committedEnd = writtenEnd = preallocatedEnd = Segment.HEADER_BYTES;
    preallocationFailed = false;
  }

  /** Makes {@code next} the active segment; seals the previous one, {@code previousBytes} long. */
  private void activate(Segment next, long previousBytes) {
    synchronized (sealed) {
      if (segment != null) {
        sealed.add(segment, previousBytes);
      }
      sealed.setFirstLsnOfActive(next.firstLsn());
      segment = next;
    }
  }

  /**
   * Returns whether the next start will find what is written. It will not if somebody has removed
   * the store's folder: the open files still take writes, but vanish with the process. Safe for any
   * thread; costs a look-up in a directory.
   */
  public boolean isInPlace() {
    synchronized (sealed) { // so that the segment is not sealed and deleted meanwhile
      try {
        return segment.isInPlace(disk);
      } catch (IOException e) { // the next write reports it
        LOG.debug("{} cannot be looked for: {}", segment.path(), e.toString());
        return true;
      }
    }
  }

  /** Returns the segments that take no more records. Safe for any thread. */
  public SealedSegments sealed() {
    return sealed;
  }

  @Override
  public void close() throws IOException {
    if (segment == null) {
      return;
    }
    try {
      if (preallocatedEnd > committedEnd && !needsCutBack) {
        truncateToCommit();
      }
    } catch (IOException e) { // the next start cuts them off
      LOG.debug("{} keeps zeros behind its records: {}", segment.path(), e.toString());
    } finally {
      segment.close();
    }
  }
}
