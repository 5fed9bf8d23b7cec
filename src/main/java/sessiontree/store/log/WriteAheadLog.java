package sessiontree.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of everything that was acknowledged: records are added, and {@link #commit} makes all of
 * them durable at once. When adding or committing fails, {@link #rollback} makes it as if nothing
 * had been added since the last commit.
 *
 * <p>Not safe for several threads: the log thread's own, but for what another thread needs to
 * delete segments.
 */
public final class WriteAheadLog implements AutoCloseable {
  /** A record's head has at most so many bytes. */
  public static final int MAX_HEAD_BYTES = 4096;

  /** What is to be logged: bytes that mean nothing to the log, in two parts to spare a copy. */
  public interface Body {
    /** Puts the first part. */
    void putHead(ByteBuffer to);

    /** The second part. */
    byte[] tail();
  }

  /** Takes the records of a log that is opened, in order. */
  public interface Replay {
    /**
     * Takes the record of that log sequence number; its bytes are valid until it returns. False if
     * they are no record: then the log is damaged.
     */
    boolean record(long lsn, ByteBuffer bytes) throws IOException;
  }

  private static final Logger LOG = LoggerFactory.getLogger(WriteAheadLog.class);
  private static final String CHECKPOINT = "checkpoint";
  private static final int STAGING_BYTES = 1 << 20;

  /**
   * How many zeros are written behind a group that makes the file longer, if it has not a quarter
   * of that itself. To force what lies within the file takes two thirds of the time, as the file
   * system has no length of it to write. PostgreSQL fills its log files likewise.
   */
  private static final int AHEAD_BYTES = 256 << 10;

  private final Disk disk;
  private final Path directory;
  private final long segmentBytes;
  private final ByteBuffer head =
      ByteBuffer.allocate(Segment.RECORD_HEADER_BYTES + Segment.BODY_HEADER_BYTES + MAX_HEAD_BYTES);
  private final ByteBuffer staging = ByteBuffer.allocateDirect(STAGING_BYTES);
  private final ByteBuffer zeros = ByteBuffer.allocateDirect(AHEAD_BYTES);
  private final CRC32C crc = new CRC32C();

  /** Written by the log thread, within synchronized (sealed) once the log is open. */
  private Segment segment;

  /** The segments that take no more records, the oldest first; guarded by itself. */
  private final ArrayDeque<Sealed> sealed = new ArrayDeque<>();

  private record Sealed(Path path, long firstLsn, long bytes) {}

  /** Guarded by sealed. */
  private long activeFirstLsn;

  /** Of the sealed segments. */
  private final AtomicLong sealedBytes = new AtomicLong();

  /** What is before it is durable. */
  private long committed;

  /** Where the next byte from staging goes. */
  private long written;

  /** Up to there the file has zeros behind what is written, if that is not beyond it. */
  private long ahead;

  /** The disk had no room for zeros in this segment. */
  private boolean full;

  private long committedLsn;
  private long lsn;

  /** A write or a force failed, and the file has not been cut back to what was committed since. */
  private boolean suspect;

  private WriteAheadLog(Disk disk, Path directory, long segmentBytes) {
    this.disk = disk;
    this.directory = directory;
    this.segmentBytes = segmentBytes;
  }

  /**
   * The log of a directory; {@link #recover} comes first.
   *
   * @param segmentBytes a segment takes no more records when it has reached it
   */
  public static WriteAheadLog of(Disk disk, Path directory, long segmentBytes) {
    return new WriteAheadLog(disk, directory, segmentBytes);
  }

  /**
   * Replays what the directory holds, and repairs its torn tail.
   *
   * @throws DamageException if a record that was acknowledged is not what it was
   */
  public void recover(Replay replay) throws IOException {
    disk.createDirectories(directory);
    disk.sync(directory); // what is there now may have been named just before the process ended
    long needed = readCheckpoint();
    List<Path> files = new ArrayList<>(disk.list(directory));
    files.removeIf(file -> !Segment.isSegment(file));
    while (files.size() > 1 && Segment.firstLsn(files.get(1)) <= needed) {
      disk.delete(
          files.remove(0)); // a checkpoint did, and the power was lost before it was durable
    }
    for (int i = 0; i < files.size(); i++) {
      boolean newest = i == files.size() - 1;
      Segment opened = Segment.open(disk, files.get(i), newest);
      if (opened == null) { // it was being made
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
      if (newest) { // before anything is made of what may not be durable
        opened.rewrite(opened.replay(true, (number, bytes) -> true));
      }
      lsn = opened.firstLsn() - 1;
      long previous = committed;
      committed =
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
    written = ahead = committed;
    committedLsn = lsn;
    if (segment == null) {
      if (needed > 1) {
        throw new DamageException(directory, "expected record " + needed + ", got no segment");
      }
      roll();
    }
  }

  /** Adds a record, the {@link #nextLsn}; it is durable when {@link #commit} returns. */
  public void add(Body record) throws IOException {
    if (suspect) {
      throw new IOException("the log's tail is not verified");
    }
    if (written + staging.position() == committed && committed >= segmentBytes) {
      roll();
    }
    head.clear().position(Segment.RECORD_HEADER_BYTES);
    head.putLong(lsn + 1).putLong(committed);
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

  /** The number of the next record. */
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
    segment.file().write(staging, written);
    written += bytes;
    staging.clear();
  }

  /** Makes what was added durable. */
  public void commit() throws IOException {
    flush();
    if (written > ahead && written - committed < AHEAD_BYTES / 4 && !full) {
      writeAhead();
    }
    segment.file().force();
    committed = written;
    committedLsn = lsn;
  }

  private void writeAhead() throws IOException {
    zeros.clear().limit((int) Math.min(AHEAD_BYTES, Math.max(0, segmentBytes - written)));
    ahead = written + zeros.limit();
    try {
      segment.file().write(zeros, written);
    } catch (IOException e) { // what is to be stored may have had room
      LOG.debug("there is no room for zeros behind the log: {}", e.toString());
      segment.file().truncate(written);
      ahead = written;
      full = true;
    }
  }

  /**
   * Forgets what was added since the last commit, and cuts the file back; until that succeeds,
   * nothing can be added.
   */
  public void rollback() {
    staging.clear();
    written = committed;
    lsn = committedLsn;
    suspect = true;
  }

  /**
   * Cuts the file back to what was committed, if something failed since. After a failed force
   * nobody knows what is on disk, and a second one may succeed and mean nothing: so the file is
   * opened anew, and all it holds is read, before anything is added.
   */
  public void cutBack() throws IOException {
    if (!suspect) {
      return;
    }
    segment.close();
    Segment reopened = Segment.open(disk, segment.path(), false);
    long sound = reopened.verify(committed);
    if (sound < committed) {
      reopened.close();
      throw new DamageException(
          segment.path(), "expected sound records up to " + committed + ", got " + sound);
    }
    synchronized (sealed) {
      segment = reopened;
    }
    cut();
    suspect = false;
  }

  /** Seals the active segment, if it holds anything; when nothing is added and not committed. */
  public void seal() throws IOException {
    if (suspect) {
      throw new IOException("the log's tail is not verified");
    }
    if (committed > Segment.HEADER_BYTES) {
      roll();
    }
  }

  /** Leaves nothing in the file but what was committed. */
  private void cut() throws IOException {
    segment.cut(committed);
    ahead = committed;
  }

  private void roll() throws IOException {
    if (ahead > committed) { // it is sealed early, and only the newest may have zeros
      cut();
    }
    Segment next = Segment.create(disk, directory, lsn + 1);
    if (segment != null) {
      segment.close();
    }
    activate(next, committed);
    committed = written = ahead = Segment.HEADER_BYTES;
    full = false;
  }

  /** Makes the segment the active one, and seals that which was, of that many bytes. */
  private void activate(Segment next, long previousBytes) {
    synchronized (sealed) {
      if (segment != null) {
        sealed.add(new Sealed(segment.path(), segment.firstLsn(), previousBytes));
        sealedBytes.addAndGet(previousBytes);
      }
      activeFirstLsn = next.firstLsn();
      segment = next;
    }
  }

  // --- Checkpoints: for the thread that makes them.

  /** Bytes of the segments that take no more records. Any thread may ask. */
  public long sealedBytes() {
    return sealedBytes.get();
  }

  /**
   * The first record of the newest sealed segments that have at most that many bytes together, or
   * else of the active one.
   */
  public long firstLsnOfNewest(long limit) {
    synchronized (sealed) {
      long left = sealedBytes.get();
      for (Sealed one : sealed) {
        if (left <= limit) {
          return one.firstLsn();
        }
        left -= one.bytes();
      }
      return activeFirstLsn;
    }
  }

  /**
   * Whether what is written is found by the next start. It is not when somebody has removed the
   * store's folder: the files that are open take everything, and go with the process. Any thread
   * may ask; it costs a look at a directory.
   */
  public boolean isInPlace() {
    synchronized (sealed) { // so that it is not sealed, and deleted, meanwhile
      try {
        return segment.isInPlace(disk);
      } catch (IOException e) { // the next write says more
        LOG.debug("{} cannot be looked for: {}", segment.path(), e.toString());
        return true;
      }
    }
  }

  /** Segments that are there. Any thread may ask. */
  public int segments() {
    synchronized (sealed) {
      return sealed.size() + 1;
    }
  }

  /** The first record of the active segment, or of the one that is to follow it. */
  public long firstLsnOfActive() {
    synchronized (sealed) {
      return activeFirstLsn;
    }
  }

  /** Deletes the segments that hold only records before that one: nobody needs these any more. */
  public void deleteBefore(long needed) throws IOException {
    List<Sealed> deleted = new ArrayList<>();
    synchronized (sealed) {
      Sealed last = null;
      for (Sealed one : sealed) {
        if (last != null && one.firstLsn() <= needed) {
          deleted.add(last);
        }
        last = one;
      }
      if (last != null && activeFirstLsn <= needed) {
        deleted.add(last);
      }
    }
    if (deleted.isEmpty()) {
      return;
    }
    writeCheckpoint(needed);
    for (Sealed one : deleted) {
      disk.delete(one.path());
      synchronized (sealed) {
        sealed.remove(one);
        sealedBytes.addAndGet(-one.bytes());
      }
    }
  }

  /** Notes that records before that one may be missing. */
  private void writeCheckpoint(long needed) throws IOException {
    Path temporary = directory.resolve(CHECKPOINT + ".tmp");
    NumberFile.write(disk, directory.resolve(CHECKPOINT), temporary, needed, true);
    disk.sync(directory);
  }

  private long readCheckpoint() throws IOException {
    try {
      return NumberFile.read(disk, directory.resolve(CHECKPOINT));
    } catch (NoSuchFileException e) {
      return 1;
    }
  }

  @Override
  public void close() throws IOException {
    if (segment == null) {
      return;
    }
    try {
      if (ahead > committed && !suspect) {
        cut();
      }
    } catch (IOException e) { // the next start does
      LOG.debug("{} keeps zeros behind its records: {}", segment.path(), e.toString());
    } finally {
      segment.close();
    }
  }
}
