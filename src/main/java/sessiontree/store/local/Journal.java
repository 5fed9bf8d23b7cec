package sessiontree.store.local;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.NumberFile;

/**
 * The journal of sessions that were begun and completed, with a {@link JournalLine} for each event:
 * beginnings in their order, completions in the order in which sessions were finished. A line waits
 * in memory until it is forced, which happens before the log or a run drops the same event. Lines
 * lost in a crash are added again by recovery. A session's lines leave the journal before its
 * tombstone leaves the log. Safe for several threads.
 *
 * <p>A file is named after a time that is later than all beginnings in older files. Completions in
 * older files are earlier too, except in the files that {@link #begin} wrote.
 */
final class Journal {
  /** Receives lines one by one. */
  interface Output {
    void line(JournalLine line) throws IOException;
  }

  /** Lines to write. */
  interface Content {
    void writeTo(Output to) throws IOException;
  }

  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

  private final Disk disk;
  private final Path begunFile; // holds when the journal was begun; missing before that
  private final Path temporary;
  private final JournalFolder folder;
  private final DueLines due = new DueLines(this);

  /** Size from which a file takes no more lines. */
  private final long fileBytes;

  /** LSN of each deleted session's last tombstone since the last purge, by id. */
  private final Map<String, Long> deleted = new ConcurrentHashMap<>();

  private final AtomicLong purges = new AtomicLong();

  private boolean isNew; // until the journal is begun; set by the thread that opens the store
  private long lastMillis; // set by that thread
  private long beganMicros; // set by that thread

  /**
   * Lines that are not durable yet. Guarded by itself, like {@code latestTime}; its lock is taken
   * after all others.
   */
  private final ByteArrayOutputStream pending = new ByteArrayOutputStream();

  private String latestTime = ""; // greatest time of any line or file name

  // All guarded by this.
  private boolean newestIsFull = true; // whether the next lines go to another file
  private long forced; // durable bytes of the newest file, unless it is full
  private String nextFile; // name of the file that a failed force began, or null

  /** Lines that recovery need not add; null once recovery is done. Used while holding this. */
  private volatile KnownLines knownLines = new KnownLines(this);

  private Journal(Disk disk, Path begunFile, Path temporary, JournalFolder folder, long fileBytes) {
    this.disk = disk;
    this.begunFile = begunFile;
    this.temporary = temporary;
    this.folder = folder;
    this.fileBytes = fileBytes;
  }

  /**
   * Opens the journal of a directory. Rewrites the newest file, because lines that can be read from
   * it may not be durable, and its last line may be torn.
   */
  static Journal open(Disk disk, Path directory, Path temporary, long fileBytes)
      throws IOException {
    disk.createDirectories(directory);
    JournalFolder folder = new JournalFolder(disk, directory, temporary);
    Path begunFile = directory.resolve("begun");
    Journal journal = new Journal(disk, begunFile, temporary, folder, fileBytes);
    try {
      journal.beganMicros = NumberFile.read(disk, begunFile);
      journal.saw(JournalLine.time(journal.beganMicros));
    } catch (NoSuchFileException e) {
      journal.isNew = true;
    } catch (DamageException e) {
      LOG.warn("the journal is made anew from the trees, whose times it loses: {}", e.getMessage());
      journal.isNew = true;
    }
    if (!journal.isNew) {
      folder.list();
    }
    if (!journal.files().isEmpty()) {
      journal.openNewest();
    }
    return journal;
  }

  private void openNewest() throws IOException {
    String newest = files().last();
    saw(newest);
    try {
      rewrite(
          newest,
          line -> {
            saw(line.time());
            lastMillis = Math.max(lastMillis, line.millis());
            return true;
          });
      folder.sync();
    } catch (IOException e) { // the store opens even if the disk is full
      LOG.warn("the newest journal file cannot be rewritten: {}", e.toString());
      newestIsFull = true;
      knownLines.ignore(newest);
    }
  }

  /** Returns the newest file's greatest running time, a lower bound for the clock after a crash. */
  long lastMillis() {
    return lastMillis;
  }

  /** Returns the latest time in the journal, in microseconds since the UNIX epoch; 0 if none. */
  long lastMicros() {
    synchronized (pending) {
      return latestTime.isEmpty() ? 0 : JournalLine.micros(latestTime);
    }
  }

  /** Returns when the journal was begun, in microseconds since the UNIX epoch. */
  long beganMicros() {
    return beganMicros;
  }

  /** Returns whether the folder has no journal, because it is new or an earlier version's. */
  boolean isNew() {
    return isNew;
  }

  /** Returns the files' times, in order. */
  NavigableSet<String> files() {
    return folder.names();
  }

  /**
   * Begins the journal of a folder that has none.
   *
   * @param earlier lines of sessions that an earlier version stored: beginnings in order, each
   *     followed by the session's completion, if it is complete
   */
  void begin(long epochMicros, Content earlier) throws IOException {
    folder.clear();
    List<JournalLine> lines = new ArrayList<>();
    int[] bytes = {0};
    earlier.writeTo(
        line -> {
          if (bytes[0] >= fileBytes && line.begun()) {
            writeNew(lines);
            bytes[0] = 0;
          }
          saw(line.time());
          lines.add(line);
          bytes[0] += line.bytes().length;
        });
    writeNew(lines);
    folder.sync();
    saw(JournalLine.time(epochMicros));
    NumberFile.write(disk, begunFile, temporary.resolve("begun"), epochMicros, true);
    folder.sync();
    isNew = false;
    knownLines = null; // the lines written above have an LSN that is not theirs
  }

  private void writeNew(List<JournalLine> lines) throws IOException {
    if (!lines.isEmpty()) {
      folder.write(lines.get(0).time(), lines);
      lines.clear();
    }
  }

  private void saw(String time) {
    synchronized (pending) {
      latestTime = time.compareTo(latestTime) > 0 ? time : latestTime;
    }
  }

  /**
   * Adds a line, unless recovery finds it in the journal already. Beginnings must be added in their
   * order. A line can be read at once; it is durable once {@link #force} has returned.
   */
  void add(JournalLine line) throws IOException {
    KnownLines recovering = knownLines;
    if (recovering != null) {
      synchronized (this) {
        if (recovering.contains(line)) {
          return;
        }
      }
    }
    addNew(line);
  }

  /** Adds a line that the journal does not have, without waiting for the disk. */
  void addNew(JournalLine line) {
    synchronized (pending) {
      saw(line.time());
      pending.writeBytes(line.bytes());
    }
  }

  /** Forces the added lines if they would fill a file. A checkpoint forces them in any case. */
  void forceIfMuch() {
    synchronized (pending) {
      if (pending.size() < fileBytes) {
        return;
      }
    }
    try {
      force();
    } catch (IOException e) { // the next checkpoint needs the lines forced, and reports it
      LOG.debug("the journal cannot be written: {}", e.toString());
    }
  }

  /** Ends recovery: all lines added from now on are new. */
  synchronized void recovered() {
    knownLines = null;
  }

  /** Makes all added lines durable. */
  synchronized void force() throws IOException {
    byte[] bytes;
    synchronized (pending) {
      bytes = pending.toByteArray();
      if (newestIsFull && bytes.length > 0 && nextFile == null) {
        nextFile = JournalLine.time(JournalLine.micros(latestTime) + 1);
        latestTime = nextFile;
      }
    }
    if (bytes.length == 0) {
      return;
    }
    if (newestIsFull) {
      folder.write(nextFile, bytes, 0); // again, if an earlier force failed
      folder.sync();
      folder.published(nextFile);
      nextFile = null;
      forced = bytes.length;
    } else {
      folder.write(files().last(), bytes, forced);
      forced += bytes.length;
    }
    newestIsFull = forced >= fileBytes;
    synchronized (pending) { // last, so that readers find each line here or in the file
      byte[] all = pending.toByteArray();
      pending.reset();
      pending.write(all, bytes.length, all.length - bytes.length);
    }
  }

  /** Returns the durable lines of a file. */
  List<JournalLine> lines(String file) throws IOException {
    long limit;
    synchronized (this) {
      limit = newestIsFull || !file.equals(files().last()) ? Long.MAX_VALUE : forced;
    }
    return folder.lines(file, limit);
  }

  /**
   * Visits beginnings in their order, or newest first, until {@code visitor} returns false. Skips
   * those of deleted sessions.
   *
   * @param after the position after which to begin, or null
   */
  void visit(boolean newestFirst, String after, Predicate<JournalLine> visitor) throws IOException {
    byte[] waiting; // copied first: a line that is forced meanwhile is seen twice, never missed
    synchronized (pending) {
      waiting = pending.toByteArray();
    }
    new Beginnings(folder, waiting, newestFirst, after).visit(this::isDeleted, visitor);
  }

  /**
   * Returns sessions that were completed at or before {@code millis} of running time, first those
   * not returned before. A session may be returned by every call until it is gone.
   *
   * @param lookup returns the session of a line, or null if it is gone
   */
  List<Seen> endedBefore(long millis, int limit, Function<JournalLine, Seen> lookup)
      throws IOException {
    force();
    return due.before(millis, limit, lookup);
  }

  // --- Deletions.

  /** Registers a durable tombstone: lines of the id's earlier records no longer count. */
  void delete(String id, long lsn) {
    deleted.put(id, lsn);
  }

  boolean isDeleted(JournalLine line) {
    Long tombstone = deleted.get(line.id());
    return tombstone != null && tombstone > line.lsn();
  }

  /**
   * Returns how often lines of deleted sessions were purged from the files. For a line read before
   * the last purge, {@link #isDeleted} may have forgotten the tombstone.
   */
  long purges() {
    return purges.get();
  }

  /** Returns how many ids were deleted since the last purge. */
  int deletions() {
    return deleted.size();
  }

  /** Durably removes the lines of deleted sessions from the disk, by rewriting their files. */
  void purge() throws IOException {
    Map<String, Long> tombstones = Map.copyOf(deleted);
    if (tombstones.isEmpty()) {
      return;
    }
    force();
    synchronized (due) {
      for (String file : files()) {
        if (file.equals(files().last())) {
          synchronized (this) { // no line is forced meanwhile
            rewrite(file, line -> !isDeleted(line));
          }
        } else {
          rewrite(file, line -> !isDeleted(line));
        }
      }
      folder.sync();
    }
    purges.incrementAndGet(); // before tombstones go: readers of such lines must notice
    tombstones.forEach(deleted::remove);
  }

  /**
   * Rewrites a file with only the lines that pass {@code kept}, or deletes it if none does and it
   * is not the newest. Durable once the directory is synced.
   */
  private void rewrite(String file, Predicate<JournalLine> kept) throws IOException {
    boolean newest = file.equals(files().last());
    List<JournalLine> lines = lines(file);
    List<JournalLine> left = lines.stream().filter(kept).toList();
    boolean opening = newest && knownLines != null; // then it is rewritten in any case
    if (left.size() == lines.size() && !opening) {
      return;
    }
    if (left.isEmpty() && !newest) {
      folder.delete(file);
    } else {
      long bytes = folder.write(file, left);
      if (newest) {
        forced = bytes;
        newestIsFull = bytes >= fileBytes;
      }
    }
    due.restart(file);
  }
}
