package sessiontree.store.local;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;
import sessiontree.store.log.NumberFile;

/**
 * Which sessions were begun and completed: a {@link JournalLine} each, those of beginnings in their
 * order, those of completions in the order in which they were finished. A line waits in memory
 * until it is forced, which happens before the log or a run forgets what it tells; what a crash
 * takes of it, recovery adds again. When the tombstone of a session leaves the log, its lines have
 * left the journal. Safe for several threads.
 *
 * <p>A file is named after a time: all lines of the files before it are of earlier times. So all
 * beginnings of the files behind it are of that time or later.
 */
final class Journal {
  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

  /** As times are, without what file systems do not take. */
  private static final Pattern NAME =
      Pattern.compile("(\\d{4})(\\d\\d)(\\d\\dT\\d\\d)(\\d\\d)(\\d\\d\\.\\d{6}Z)\\.txt");

  private static final int BUFFER_BYTES = 64 << 10;
  private static final int LSNS = 10_000;

  /** Takes line after line. */
  interface Output {
    void line(JournalLine line) throws IOException;
  }

  /** Lines that are to be written. */
  interface Content {
    void writeTo(Output to) throws IOException;
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

  /** By their times. */
  private final NavigableSet<String> files = new ConcurrentSkipListSet<>();

  /** By id, the last tombstone; of those since the last purge. */
  private final Map<String, Long> deleted = new ConcurrentHashMap<>();

  private final AtomicLong purges = new AtomicLong();

  private boolean isNew; // until it was begun; set by the thread that opens the store
  private long lastMillis; // set by that thread
  private long beganMicros; // likewise
  private String unsound; // a file whose lines may not be durable, or null; likewise

  /**
   * What is not durable yet. Guarded by itself, as is what follows; taken behind all other locks.
   */
  private final ByteArrayOutputStream pending = new ByteArrayOutputStream();

  private String lastTime = ""; // the greatest of all lines, and names of files

  // All guarded by this.
  private long forced; // bytes of the newest file that are durable
  private String next = ""; // the file that is being begun, if it is greater than the newest
  private String knownFrom = "\uffff"; // the lines in files from this one on are in known

  /** By thousands of log sequence numbers, a bit for each line; null when recovery is done. */
  private volatile Map<Long, BitSet> known = new HashMap<>();

  /** Held while files are read for what is due, or rewritten; taken before this. */
  private final Object reading = new Object();

  // All guarded by reading.
  private final List<Told> told = new ArrayList<>();
  private String cursorFile = "";
  private long cursorAt;

  /** A line that was due, and whose session was there. */
  private record Told(String file, JournalLine line) {}

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
    try {
      journal.beganMicros = NumberFile.read(disk, journal.mark());
      journal.saw(JournalLine.time(journal.beganMicros));
    } catch (NoSuchFileException | DamageException e) {
      journal.isNew = true;
      return journal;
    }
    for (Path file : disk.list(directory)) {
      Matcher name = NAME.matcher(file.getFileName().toString());
      if (name.matches()) {
        journal.files.add(name.replaceFirst("$1-$2-$3:$4:$5"));
      }
    }
    if (!journal.files.isEmpty()) {
      journal.openNewest();
    }
    return journal;
  }

  private void openNewest() throws IOException {
    String newest = files.last();
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
      disk.sync(directory);
    } catch (IOException e) { // on a full disk the store opens all the same
      LOG.warn("the journal's newest file cannot be written anew: {}", e.toString());
      forced = Long.MAX_VALUE;
      unsound = newest;
    }
  }

  /** When what the newest file tells of was, in running time; after a crash, the time was that. */
  long lastMillis() {
    return lastMillis;
  }

  /** Likewise, in microseconds since the UNIX epoch; 0 if nothing is told. */
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

  /** A file that is there when the journal was begun; of when that was. */
  private Path mark() {
    return directory.resolve("begun");
  }

  /**
   * Begins the journal of a folder that has none.
   *
   * @param earlier of sessions that an earlier version took: beginnings in order, each with the
   *     session's completion behind it
   */
  void begin(long epochMicros, Content earlier) throws IOException {
    for (Path left : disk.list(directory)) { // of another format, or of a start that was cut off
      disk.delete(left);
    }
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
    disk.sync(directory);
    forced = Long.MAX_VALUE; // another file comes next
    saw(JournalLine.time(epochMicros));
    NumberFile.write(disk, mark(), temporary.resolve("begun"), epochMicros, true);
    disk.sync(directory);
    isNew = false;
  }

  private void writeNew(List<JournalLine> lines) throws IOException {
    if (!lines.isEmpty()) {
      String file = lines.get(0).time();
      write(
          file,
          to -> {
            for (JournalLine line : lines) {
              to.line(line);
            }
          });
      files.add(file);
      lines.clear();
    }
  }

  private Path path(String file) {
    return directory.resolve(file.replaceAll("[-:]", "") + ".txt");
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
    if (known != null) {
      synchronized (this) {
        if (isKnown(line)) {
          return;
        }
      }
    }
    addNew(line);
  }

  /** Likewise, a line that was not added before, without waiting for a disk. */
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
    } catch (IOException e) { // a checkpoint needs it, and tells
      LOG.debug("the journal cannot be written: {}", e.toString());
    }
  }

  /** Reads back as far as that line may be. Guarded by this. */
  private boolean isKnown(JournalLine line) throws IOException {
    for (String file;
        knownFrom.compareTo(line.time()) > 0 && (file = files.lower(knownFrom)) != null;
        knownFrom = file) {
      if (!file.equals(unsound)) {
        try (JournalReader reader = reader(file, 0)) {
          for (JournalLine each; (each = reader.next()) != null; ) {
            known.computeIfAbsent(each.lsn() / LSNS, lsns -> new BitSet()).set(bit(each));
          }
        }
      }
    }
    BitSet bits = known.get(line.lsn() / LSNS);
    return bits != null && bits.get(bit(line));
  }

  private static int bit(JournalLine line) {
    return (int) (line.lsn() % LSNS) * 2 + (line.begun() ? 1 : 0);
  }

  /** Recovery is done: what is added from now on is new. */
  synchronized void recovered() {
    known = null;
  }

  /** Makes durable what was added. */
  synchronized void force() throws IOException {
    byte[] bytes;
    boolean begins = files.isEmpty() || forced >= fileBytes;
    synchronized (pending) {
      bytes = pending.toByteArray();
      if (begins && bytes.length > 0 && next.compareTo(files.isEmpty() ? "" : files.last()) <= 0) {
        next = JournalLine.time(JournalLine.micros(lastTime) + 1);
        lastTime = next;
      }
    }
    if (bytes.length == 0) {
      return;
    }
    Path path = path(begins ? next : files.last());
    long from = begins ? 0 : forced;
    try (Disk.DiskFile to = begins ? disk.create(path) : disk.open(path)) {
      to.write(ByteBuffer.wrap(bytes), from); // anew, if a force of it failed
      to.force();
    }
    if (begins) {
      disk.sync(directory);
      files.add(next);
    }
    forced = from + bytes.length;
    synchronized (pending) { // not before: who reads finds a line here or there
      byte[] all = pending.toByteArray();
      pending.reset();
      pending.write(all, bytes.length, all.length - bytes.length);
    }
  }

  private JournalReader reader(String file, long from) throws IOException {
    long to;
    synchronized (this) {
      to = !files.isEmpty() && file.equals(files.last()) ? forced : Long.MAX_VALUE;
    }
    return new JournalReader(disk.open(path(file)), from, to);
  }

  // --- In order.

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
    Predicate<JournalLine> once = once(newestFirst, after, visitor);
    if (newestFirst) {
      String file = after == null ? null : files.ceiling(time(after));
      if (file == null && (!visit(true, waiting, once) || files.isEmpty())) {
        return;
      }
      file = file == null ? files.last() : file;
      while (file != null && visit(true, read(file), once)) {
        file = files.lower(file);
      }
      return;
    }
    String file = after == null ? null : files.floor(time(after));
    file = file == null ? files.ceiling("") : file;
    while (file != null && visit(false, read(file), once)) {
      file = files.higher(file);
    }
    if (file == null) {
      visit(false, waiting, once);
    }
  }

  private static String time(String position) {
    return position.substring(0, position.indexOf(' '));
  }

  /**
   * Lines may be seen twice. Those of deleted sessions may be out of their order, as recovery adds
   * again what had left the journal already, and not yet the log.
   */
  private Predicate<JournalLine> once(
      boolean newestFirst, String after, Predicate<JournalLine> visitor) {
    String[] last = {after};
    return line -> {
      if (isDeleted(line)) {
        return true;
      }
      String position = line.position();
      int order = last[0] == null ? 0 : position.compareTo(last[0]);
      boolean follows = newestFirst ? order < 0 : order > 0;
      if (last[0] != null && !follows) {
        return true;
      }
      last[0] = position;
      return visitor.test(line);
    };
  }

  private static boolean visit(boolean newestFirst, byte[] lines, Predicate<JournalLine> visitor) {
    List<JournalLine> beginnings = new ArrayList<>();
    for (int from = 0, at = 0; at < lines.length; at++) {
      if (lines[at] == '\n') {
        JournalLine line = JournalLine.read(lines, from, at);
        if (line != null && line.begun()) {
          beginnings.add(line);
        }
        from = at + 1;
      }
    }
    if (newestFirst) {
      Collections.reverse(beginnings);
    }
    for (JournalLine line : beginnings) {
      if (!visitor.test(line)) {
        return false;
      }
    }
    return true;
  }

  private byte[] read(String file) throws IOException {
    try (Disk.DiskFile from = disk.open(path(file))) {
      ByteBuffer bytes = ByteBuffer.allocate((int) from.size());
      from.read(bytes, 0);
      return bytes.array();
    } catch (NoSuchFileException e) { // nothing was left of it
      return new byte[0];
    }
  }

  // --- What is due.

  /**
   * Sessions that were completed before a running time, those first that were not told before; each
   * again and again until it is not there any more.
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
      for (String file; due.size() < limit && (file = files.ceiling(cursorFile)) != null; ) {
        cursorAt = file.equals(cursorFile) ? cursorAt : 0;
        cursorFile = file;
        if (!readOn(millis, limit, look, due)) {
          break;
        }
        cursorFile = file + "!"; // the next
      }
      before.stream().limit(limit - due.size()).forEach(due::add);
      return due;
    }
  }

  /** Returns whether the file was read to its end, and another follows. Guarded by reading. */
  private boolean readOn(long millis, int limit, Look look, List<Seen> due) throws IOException {
    boolean last = cursorFile.equals(files.last());
    try (JournalReader reader = reader(cursorFile, cursorAt)) {
      for (JournalLine line; due.size() < limit && (line = reader.next()) != null; ) {
        if (!line.begun() && line.millis() > millis) {
          return false;
        }
        cursorAt = reader.position();
        Seen seen = line.begun() ? null : look.at(line);
        if (seen != null) {
          due.add(seen);
          told.add(new Told(cursorFile, line));
        }
      }
    }
    return due.size() < limit && !last;
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
    synchronized (reading) {
      for (String file : files) {
        if (file.equals(files.last())) {
          synchronized (this) { // no line is added meanwhile
            rewrite(file, line -> !isDeleted(line));
          }
        } else {
          rewrite(file, line -> !isDeleted(line));
        }
      }
      disk.sync(directory);
    }
    purges.incrementAndGet(); // before: whoever has read lines of theirs still must notice
    tombstones.forEach(deleted::remove);
  }

  /**
   * Leaves only some lines in a file, and deletes one of which none is left, but not the newest;
   * durably, when the directory is synced.
   */
  private void rewrite(String file, Predicate<JournalLine> kept) throws IOException {
    boolean newest = file.equals(files.last());
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
      disk.delete(path(file));
      files.remove(file);
    } else {
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
    }
    if (file.equals(cursorFile)) {
      cursorAt = 0;
      told.removeIf(one -> one.file.equals(file)); // they are read again
    }
  }

  /** Writes a file, forces it, and puts it in place; not durably. Returns its length. */
  private long write(String file, Content content) throws IOException {
    Path written = temporary.resolve(path(file).getFileName());
    long bytes;
    try (DiskStreams.Output out = new DiskStreams.Output(disk.create(written));
        OutputStream to = new BufferedOutputStream(out, BUFFER_BYTES)) {
      content.writeTo(line -> to.write(line.bytes()));
      to.flush();
      out.force();
      bytes = out.position();
    }
    disk.rename(written, path(file));
    return bytes;
  }
}
