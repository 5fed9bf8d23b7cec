package sessiontree.store.local;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * Which sessions completed: a {@link JournalLine} each, in the order in which they were finished. A
 * line waits in memory until it is forced, which happens before the log or a run forgets the
 * session's end; what a crash takes of it, recovery adds again. When the tombstone of a session
 * leaves the log, its line has left the journal. Safe for several threads.
 *
 * <p>A file is named after a record of the log: the lines of all files before it are of sessions
 * that ended before that record.
 */
final class Journal {
  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);
  private static final String SUFFIX = ".txt";

  private static final int BUFFER_BYTES = 64 << 10;

  /** The file of the sessions that an earlier version completed, which kept no journal. */
  private static final long EARLIER = 0;

  /** What a file is to hold. */
  interface Content {
    void writeTo(Output to) throws IOException;
  }

  /** Takes line after line. */
  interface Output {
    void line(JournalLine line) throws IOException;
  }

  /** Looks at what a line tells of. */
  interface Look {
    /** Null if the session is not there any more. */
    Seen at(JournalLine line);
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;

  /** A file takes no more lines when it has reached that. */
  private final long fileBytes;

  private final NavigableSet<Long> files = new ConcurrentSkipListSet<>();

  private long lastMillis;

  /** By id, the last tombstone; of those since the last purge. */
  private final Map<String, Long> deleted = new ConcurrentHashMap<>();

  // All guarded by this.
  private final ByteArrayOutputStream pending = new ByteArrayOutputStream();
  private long forced; // bytes of the newest file that are durable
  private long lastLsn; // the greatest of all lines
  private long begun; // the file that is being begun, if it is greater than the newest
  private long knownFrom = Long.MAX_VALUE; // the ends in files from this one on are in known
  private Set<Long> known = new HashSet<>(); // null when recovery is done

  /** Held while files are read or rewritten; taken before this. */
  private final Object reading = new Object();

  // All guarded by reading.
  private final List<Told> told = new ArrayList<>();
  private long cursorFile = EARLIER;
  private long cursorAt;

  /** A line that was due, and whose session was there. */
  private record Told(long file, JournalLine line) {}

  private Journal(Disk disk, Path directory, Path temporary, long fileBytes) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.fileBytes = fileBytes;
  }

  /**
   * Opens the journal of a directory. What can be read of the newest file may yet not be on the
   * disk, and its last line may be torn: so its lines are written anew.
   */
  static Journal open(Disk disk, Path directory, Path temporary, long fileBytes)
      throws IOException {
    disk.createDirectories(directory);
    Journal journal = new Journal(disk, directory, temporary, fileBytes);
    for (Path file : disk.list(directory)) {
      String name = file.getFileName().toString();
      if (name.matches("[0-9a-f]{16}\\" + SUFFIX)) {
        journal.files.add(Long.parseLong(name.substring(0, 16), 16));
      }
    }
    if (!journal.isNew() && journal.files.last() != EARLIER) {
      journal.lastLsn = journal.files.last();
      journal.forced = Long.MAX_VALUE;
      journal.rewrite(
          journal.files.last(),
          line -> {
            journal.lastLsn = Math.max(journal.lastLsn, line.lsn());
            journal.lastMillis = Math.max(journal.lastMillis, line.millis());
            return true;
          });
      disk.sync(directory);
    }
    return journal;
  }

  /**
   * When the last session ended that the newest file tells of; after a crash, the time was that.
   */
  long lastMillis() {
    return lastMillis;
  }

  /** Whether the folder has no journal: then it is an earlier version's, or new. */
  boolean isNew() {
    return files.isEmpty();
  }

  /** Begins the journal of a folder that has none. */
  void begin(Content earlier) throws IOException {
    write(EARLIER, earlier);
    disk.sync(directory);
    files.add(EARLIER);
  }

  private Path path(long file) {
    return directory.resolve(String.format(Locale.ROOT, "%016x", file) + SUFFIX);
  }

  /** Adds a line. It is durable when {@link #force} has returned. */
  synchronized void add(JournalLine line) throws IOException {
    if (known != null && isKnown(line.lsn())) {
      return;
    }
    lastLsn = Math.max(lastLsn, line.lsn());
    pending.writeBytes(line.bytes());
    if (pending.size() > fileBytes / 4 && !isNew()) {
      try {
        force();
      } catch (IOException e) { // a checkpoint needs it, and tells
        LOG.debug("the journal cannot be written: {}", e.toString());
      }
    }
  }

  /** Reads back as far as the line of that end may be. Guarded by this. */
  private boolean isKnown(long lsn) throws IOException {
    for (Long file; knownFrom > lsn && (file = files.lower(knownFrom)) != null; knownFrom = file) {
      try (JournalReader reader = reader(file, 0)) {
        for (JournalLine line; (line = reader.next()) != null; ) {
          known.add(line.lsn());
        }
      }
    }
    return known.contains(lsn);
  }

  /** Recovery is done: what is added from now on is new. */
  synchronized void recovered() {
    known = null;
  }

  /** Makes durable what was added. */
  synchronized void force() throws IOException {
    if (pending.size() == 0) {
      return;
    }
    boolean begins = files.last() == EARLIER || forced >= fileBytes;
    if (begins && begun <= files.last()) {
      begun = Math.max(lastLsn, files.last()) + 1;
    }
    Path path = path(begins ? begun : files.last());
    long from = begins ? 0 : forced;
    try (Disk.DiskFile to = begins ? disk.create(path) : disk.open(path)) {
      to.write(ByteBuffer.wrap(pending.toByteArray()), from); // anew, if a force of it failed
      to.force();
    }
    if (begins) {
      disk.sync(directory);
      files.add(begun);
    }
    forced = from + pending.size();
    pending.reset();
  }

  private JournalReader reader(long file, long from) throws IOException {
    long to;
    synchronized (this) {
      to = file != EARLIER && file == files.last() ? forced : Long.MAX_VALUE;
    }
    return new JournalReader(disk.open(path(file)), from, to);
  }

  // --- What is due.

  /**
   * Sessions that ended before a running time, those first that were not told before; each again
   * and again until it is not there any more. A file of which none is left is deleted.
   */
  List<Seen> endedBefore(long millis, int limit, Look look) throws IOException {
    force();
    synchronized (reading) {
      List<Seen> before = new ArrayList<>();
      for (Iterator<Told> each = told.iterator(); each.hasNext(); ) {
        JournalLine line = each.next().line;
        Seen seen = look.at(line);
        if (seen == null) {
          each.remove();
        } else if (line.millis() <= millis) {
          before.add(seen);
        }
      }
      List<Seen> due = new ArrayList<>();
      for (Long file; due.size() < limit && (file = files.ceiling(cursorFile)) != null; ) {
        cursorAt = file == cursorFile ? cursorAt : 0;
        cursorFile = file;
        if (!readOn(millis, limit, look, due)) {
          break;
        }
        cursorFile = file + 1;
      }
      before.stream().limit(limit - due.size()).forEach(due::add);
      for (Long file : files.headSet(Math.min(cursorFile, files.last()))) {
        if (told.stream().noneMatch(one -> one.file == file)) {
          disk.delete(path(file));
          files.remove(file);
        }
      }
      return due;
    }
  }

  /** Returns whether the file was read to its end, and another follows. Guarded by reading. */
  private boolean readOn(long millis, int limit, Look look, List<Seen> due) throws IOException {
    boolean last = cursorFile == files.last();
    try (JournalReader reader = reader(cursorFile, cursorAt)) {
      for (JournalLine line; due.size() < limit && (line = reader.next()) != null; ) {
        if (line.millis() > millis) {
          return false;
        }
        cursorAt = reader.position();
        Seen seen = look.at(line);
        if (seen != null) {
          due.add(seen);
          told.add(new Told(cursorFile, line));
        }
      }
    }
    return due.size() < limit && !last;
  }

  // --- What was deleted.

  /** A tombstone of the id is durable: lines of ends before it count no more. */
  void delete(String id, long lsn) {
    deleted.put(id, lsn);
  }

  boolean isDeleted(JournalLine line) {
    Long tombstone = deleted.get(line.id());
    return tombstone != null && tombstone > line.lsn();
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
    synchronized (reading) {
      for (Long file : files) {
        if (file.equals(files.last())) {
          synchronized (this) { // no line is added meanwhile
            rewrite(file, line -> !isDeleted(line));
          }
        } else {
          rewrite(file, line -> !isDeleted(line));
        }
      }
      disk.sync(directory); // also for files that were deleted
    }
    tombstones.forEach(deleted::remove);
  }

  /** Leaves only some lines in a file; durably, when the directory is synced. */
  private void rewrite(long file, Predicate<JournalLine> kept) throws IOException {
    boolean newest = file == files.last();
    if (!newest || known == null) { // at the start it is written anew in any case
      try (JournalReader reader = reader(file, 0)) {
        JournalLine line = reader.next();
        while (line != null && kept.test(line)) {
          line = reader.next();
        }
        if (line == null) {
          return;
        }
      }
    }
    try (JournalReader reader = reader(file, 0)) {
      long bytes =
          write(
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
    if (file == cursorFile) {
      cursorAt = 0;
      told.removeIf(one -> one.file == file); // they are read again
    }
  }

  /** Writes a file, forces it, and puts it in place; not durably. Returns its length. */
  private long write(long file, Content content) throws IOException {
    Path next = temporary.resolve(path(file).getFileName());
    long bytes;
    try (DiskStreams.Output out = new DiskStreams.Output(disk.create(next));
        OutputStream to = new BufferedOutputStream(out, BUFFER_BYTES)) {
      content.writeTo(line -> to.write(line.bytes()));
      to.flush();
      out.force();
      bytes = out.position();
    }
    disk.rename(next, path(file));
    return bytes;
  }
}
