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
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.NumberFile;

/**
 * Which sessions were begun and completed: a {@link JournalLine} each, those of beginnings in their
 * order, those of completions in the order in which they were finished. A line waits in memory
 * until it is forced, which happens before the log or a run forgets the same; what a crash takes of
 * it, recovery adds again. When the tombstone of a session leaves the log, its lines have left the
 * journal. Safe for several threads.
 *
 * <p>A file is named after a time: all lines of the files before it are of earlier times. So all
 * beginnings of the files behind it are of that time or later.
 */
final class Journal {
  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

  private final Disk disk;
  private final Path mark; // a file that is there when the journal was begun; of when that was
  private final Path temporary;
  private final JournalFolder folder;
  private final DueLines due = new DueLines(this);

  /** A file takes no more lines when it has reached that. */
  private final long fileBytes;

  /** By id, the last tombstone; of those since the last purge. */
  private final Map<String, Long> deleted = new ConcurrentHashMap<>();

  private final AtomicLong purges = new AtomicLong();

  private boolean isNew; // until it was begun; set by the thread that opens the store
  private long lastMillis; // set by that thread
  private long beganMicros; // likewise

  /**
   * What is not durable yet. Guarded by itself, as is what follows; taken behind all other locks.
   */
  private final ByteArrayOutputStream pending = new ByteArrayOutputStream();

  private String lastTime = ""; // the greatest of all lines, and names of files

  // All guarded by this.
  private long forced; // bytes of the newest file that are durable
  private String next = ""; // the file that is being begun, if it is greater than the newest

  /** Used guarded by this; null when recovery is done. */
  private volatile KnownLines known = new KnownLines(this);

  private Journal(Disk disk, Path mark, Path temporary, JournalFolder folder, long fileBytes) {
    this.disk = disk;
    this.mark = mark;
    this.temporary = temporary;
    this.folder = folder;
    this.fileBytes = fileBytes;
  }

  /**
   * Opens the journal of a directory. What can be read of the newest file may yet not be on the
   * disk, and its last line may be torn: so its lines are written anew.
   */
  static Journal open(Disk disk, Path directory, Path temporary, long fileBytes)
      throws IOException {
    disk.createDirectories(directory);
    JournalFolder folder = new JournalFolder(disk, directory, temporary);
    Path mark = directory.resolve("begun");
    Journal journal = new Journal(disk, mark, temporary, folder, fileBytes);
    try {
      journal.beganMicros = NumberFile.read(disk, mark);
      journal.saw(JournalLine.time(journal.beganMicros));
    } catch (NoSuchFileException | DamageException e) {
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
    forced = Long.MAX_VALUE; // if it is not written anew, another file comes next
    try {
      rewrite(
          newest,
          line -> {
            saw(line.time());
            lastMillis = Math.max(lastMillis, line.millis());
            return true;
          });
      folder.sync();
    } catch (IOException e) { // on a full disk the store opens all the same
      LOG.warn("the journal's newest file cannot be written anew: {}", e.toString());
      forced = Long.MAX_VALUE;
      known.passOver(newest);
    }
  }

  /** The greatest running time in the newest file; after a crash, the time was that. */
  long lastMillis() {
    return lastMillis;
  }

  /** The greatest time in it, in microseconds since the UNIX epoch; 0 if there is none. */
  long lastMicros() {
    synchronized (pending) {
      return lastTime.isEmpty() ? 0 : JournalLine.micros(lastTime);
    }
  }

  /** When the journal was begun. */
  long beganMicros() {
    return beganMicros;
  }

  /** Whether the folder has no journal: then it is an earlier version's, or new. */
  boolean isNew() {
    return isNew;
  }

  /** The files' times, in order. */
  NavigableSet<String> files() {
    return folder.names();
  }

  /**
   * Begins the journal of a folder that has none.
   *
   * @param earlier of sessions that an earlier version took: beginnings in order, each with the
   *     session's completion behind it
   */
  void begin(long epochMicros, JournalFolder.Content earlier) throws IOException {
    folder.clear();
    List<JournalLine> lines = new ArrayList<>();
    int[] bytes = {0};
    earlier.writeTo(
        line -> {
          if (bytes[0] >= fileBytes && line.begun()) {
            writeNew(lines);
            bytes[0] = 0;
          }
          lines.add(line);
          bytes[0] += line.bytes().length;
        });
    writeNew(lines);
    folder.sync();
    forced = Long.MAX_VALUE; // another file comes next
    saw(JournalLine.time(epochMicros));
    NumberFile.write(disk, mark, temporary.resolve("begun"), epochMicros, true);
    folder.sync();
    isNew = false;
  }

  private void writeNew(List<JournalLine> lines) throws IOException {
    if (!lines.isEmpty()) {
      folder.write(
          lines.get(0).time(),
          to -> {
            for (JournalLine line : lines) {
              to.line(line);
            }
          });
      lines.clear();
    }
  }

  private void saw(String time) {
    synchronized (pending) {
      lastTime = time.compareTo(lastTime) > 0 ? time : lastTime;
    }
  }

  /**
   * Adds a line, of a beginning in their order. It is durable when {@link #force} has returned, and
   * is read before.
   */
  void add(JournalLine line) throws IOException {
    KnownLines recovering = known;
    if (recovering != null) {
      synchronized (this) {
        if (recovering.contains(line)) {
          return;
        }
      }
    }
    addNew(line);
  }

  /** Adds a line that was not added before, without waiting for a disk. */
  void addNew(JournalLine line) {
    synchronized (pending) {
      saw(line.time());
      pending.writeBytes(line.bytes());
    }
  }

  /** Forces what was added, if it is much; a checkpoint does so in any case. */
  void forceIfMuch() {
    synchronized (pending) {
      if (pending.size() < fileBytes) {
        return;
      }
    }
    try {
      force();
    } catch (IOException e) { // a checkpoint needs it, and reports
      LOG.debug("the journal cannot be written: {}", e.toString());
    }
  }

  /** Recovery is done: what is added from now on is new. */
  synchronized void recovered() {
    known = null;
  }

  /** Makes durable what was added. */
  synchronized void force() throws IOException {
    byte[] bytes;
    boolean begins = files().isEmpty() || forced >= fileBytes;
    synchronized (pending) {
      bytes = pending.toByteArray();
      if (begins
          && bytes.length > 0
          && next.compareTo(files().isEmpty() ? "" : files().last()) <= 0) {
        next = JournalLine.time(JournalLine.micros(lastTime) + 1);
        lastTime = next;
      }
    }
    if (bytes.length == 0) {
      return;
    }
    long from = begins ? 0 : forced;
    folder.write(begins ? next : files().last(), bytes, from); // anew, if a force of it failed
    if (begins) {
      folder.sync();
      files().add(next);
    }
    forced = from + bytes.length;
    synchronized (pending) { // not before: a reader finds a line here or there
      byte[] all = pending.toByteArray();
      pending.reset();
      pending.write(all, bytes.length, all.length - bytes.length);
    }
  }

  /** Reads a file from an offset on, as far as it is durable. */
  JournalReader reader(String file, long from) throws IOException {
    long to;
    synchronized (this) {
      to = !files().isEmpty() && file.equals(files().last()) ? forced : Long.MAX_VALUE;
    }
    return folder.reader(file, from, to);
  }

  /**
   * Visits beginnings in their order, or the newest first, until a visit returns false; not those
   * of deleted sessions.
   *
   * @param after the position behind which it begins, or null
   */
  void visit(boolean newestFirst, String after, Predicate<JournalLine> visitor) throws IOException {
    byte[] waiting; // before the files: what is forced meanwhile is seen twice, and never missed
    synchronized (pending) {
      waiting = pending.toByteArray();
    }
    new Beginnings(folder, waiting, newestFirst, after).visit(this::isDeleted, visitor);
  }

  /**
   * Sessions that were completed before a running time, those first that were not returned before;
   * each again and again until it is not there any more.
   */
  List<Seen> endedBefore(long millis, int limit, DueLines.Look look) throws IOException {
    force();
    return due.before(millis, limit, look);
  }

  // --- What was deleted.

  /** A tombstone of the id is durable: lines of what was before it count no more. */
  void delete(String id, long lsn) {
    deleted.put(id, lsn);
  }

  boolean isDeleted(JournalLine line) {
    Long tombstone = deleted.get(line.id());
    return tombstone != null && tombstone > line.lsn();
  }

  /**
   * How often lines of deleted sessions have left the files. Lines that were read before the last
   * time may be of sessions of which {@link #isDeleted} does not know any more.
   */
  long purges() {
    return purges.get();
  }

  /** How many ids were deleted since the last purge. */
  int deletions() {
    return deleted.size();
  }

  /** Rewrites all files that hold what was deleted, so that it leaves the disk, durably. */
  void purge() throws IOException {
    Map<String, Long> tombstones = Map.copyOf(deleted);
    if (tombstones.isEmpty()) {
      return;
    }
    force();
    synchronized (due) {
      for (String file : files()) {
        if (file.equals(files().last())) {
          synchronized (this) { // no line is added meanwhile
            rewrite(file, line -> !isDeleted(line));
          }
        } else {
          rewrite(file, line -> !isDeleted(line));
        }
      }
      folder.sync();
    }
    purges.incrementAndGet(); // before: a reader that still has such lines must notice
    tombstones.forEach(deleted::remove);
  }

  /**
   * Leaves only some lines in a file, and deletes one of which none is left, but not the newest;
   * durably, when the directory is synced.
   */
  private void rewrite(String file, Predicate<JournalLine> kept) throws IOException {
    boolean newest = file.equals(files().last());
    int left = 0;
    int dropped = 0;
    try (JournalReader reader = reader(file, 0)) {
      for (JournalLine line; (line = reader.next()) != null; ) {
        if (kept.test(line)) {
          left++;
        } else {
          dropped++;
        }
      }
    }
    boolean opening = newest && known != null; // then it is written anew in any case
    if (dropped == 0 && !opening) {
      return;
    }
    if (left == 0 && !newest) {
      folder.delete(file);
    } else {
      try (JournalReader reader = reader(file, 0)) {
        long bytes =
            folder.write(
                file,
                to -> {
                  for (JournalLine line; (line = reader.next()) != null; ) {
                    if (kept.test(line)) {
                      to.line(line);
                    }
                  }
                });
        if (newest) {
          forced = bytes;
        }
      }
    }
    due.rewritten(file);
  }
}
