package sessiontree.store.local;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.sort.Cursor;
import sessiontree.sort.MergeIterator;

/**
 * The run files, by age. A spill adds one; when there are as many of a level as the fan-in, they
 * are merged into one of the next level (a log-structured merge tree), so that a session has a
 * bounded number of runs, each file is rewritten few times, and what is not needed any more goes. A
 * file nobody needs is deleted. Safe for several threads; one spills, and one compacts.
 */
final class Runs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Runs.class);

  static final String SUFFIX = ".run";

  /** A file of which less than half is needed is rewritten, if it is larger than this. */
  private static final long SMALL_BYTES = 1 << 20;

  private static final int MERGE_BUFFER_BYTES = 4 << 20;

  /** A session that is to be written. */
  interface Source {
    RunEntry state();

    /** In order; made when it is its turn, as it takes memory to bring them into order. */
    Cursor children() throws IOException;
  }

  /** Takes the sessions of the files that are there, the oldest file first. */
  interface Found {
    /** Returns the regions that it makes needless. */
    List<Region> session(RunEntry entry, Region region);
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;

  /**
   * Files of a level. A session has at most one run in each, so its merge has fewer inputs a level.
   */
  private final int fanIn;

  /** By number; guarded by this. */
  private final List<RunFile> files = new ArrayList<>();

  /** Guarded by this. */
  private long lastNumber;

  /** Guarded by this. */
  private long lastGeneration;

  /** Files that are needless, and could not be deleted. */
  private final Set<Path> leftovers = ConcurrentHashMap.newKeySet();

  private final Object merging = new Object();

  private volatile boolean closing;

  private Runs(Disk disk, Path directory, Path temporary, int fanIn) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.fanIn = fanIn;
  }

  /** Opens the files of a directory, and deletes those that others were made of. */
  static Runs open(Disk disk, Path directory, Path temporary, int fanIn, Found found)
      throws IOException {
    disk.createDirectories(directory);
    disk.sync(directory); // what is there now may have been named just before the process ended
    Runs runs = new Runs(disk, directory, temporary, fanIn);
    for (Path path : disk.list(directory)) {
      if (path.getFileName().toString().endsWith(SUFFIX)) {
        RunFile file = RunFile.open(disk, path);
        runs.files.add(file);
        runs.lastNumber = Math.max(runs.lastNumber, file.number());
        runs.lastGeneration = Math.max(runs.lastGeneration, file.generation());
      }
    }
    for (RunFile file : List.copyOf(runs.files)) {
      if (runs.files.stream().anyMatch(other -> other.supersedes(file))) {
        runs.delete(file);
      }
    }
    List<Region> needless = new ArrayList<>();
    for (RunFile file : runs.files) {
      RunFile.Index index = file.index();
      for (RunEntry entry; (entry = index.next()) != null; ) {
        needless.addAll(found.session(entry, file.region(entry)));
      }
    }
    needless.forEach(runs::retire);
    return runs;
  }

  /** A file that was written, and a region for each source. */
  record Written(RunFile file, List<Region> regions) {}

  /**
   * Writes a new file, the youngest. Returns when it is durable. It is merged with others only when
   * it was admitted.
   */
  Written write(List<? extends Source> sources) throws IOException {
    long number;
    synchronized (this) {
      number = ++lastNumber;
    }
    List<RunEntry> entries = new ArrayList<>(sources.size());
    try (Output out = create(number, number, 0)) {
      for (Source source : sources) {
        entries.add(out.writer.add(source.state(), source.children()));
      }
      RunFile file = out.publish();
      return new Written(file, entries.stream().map(file::region).toList());
    }
  }

  /** Files that are there. */
  synchronized int count() {
    return files.size();
  }

  /** The sessions know their regions in the file. */
  synchronized void admit(RunFile file) {
    if (file.isLive()) {
      files.add(file);
      files.sort(Comparator.comparingLong(RunFile::number));
    }
  }

  /** A region is not needed any more. What made it so must be durable. */
  void retire(Region region) {
    if (region.file().retire(region)) {
      delete(region.file());
    }
  }

  private void delete(RunFile file) {
    leftovers.add(file.path()); // first, so that whoever purges knows of it at any time
    synchronized (this) {
      files.remove(file);
    }
    try {
      disk.delete(file.path());
      leftovers.remove(file.path());
      file.release();
    } catch (IOException e) { // the next start finds that nobody needs it
      LOG.warn("{} cannot be deleted: {}", file.path().getFileName(), e.toString());
    }
  }

  /** The files that are to be merged now; none if there is nothing to do. */
  private synchronized List<RunFile> due() {
    int levels = files.stream().mapToInt(RunFile::level).max().orElse(-1) + 1;
    for (int level = 0; level < levels; level++) {
      int of = level;
      if (files.stream().filter(file -> file.level() == of).count() >= fanIn) {
        int first = 0;
        while (files.get(first).level() != level) {
          first++;
        }
        int last = files.size() - 1;
        while (files.get(last).level() != level) {
          last--;
        }
        return List.copyOf(files.subList(first, last + 1)); // no gaps, so that age stays an order
      }
    }
    for (RunFile file : files) {
      if (file.bytes() > SMALL_BYTES && file.liveBytes() < file.bytes() / 2) {
        return List.of(file);
      }
    }
    return List.of();
  }

  /** Merges no more files after the ones that are being merged. */
  void stop() {
    closing = true;
  }

  /** Merges files, as long as there are any to be merged. */
  void compact(Function<String, LocalSession> sessions) throws IOException {
    synchronized (merging) {
      for (List<RunFile> inputs = due(); !inputs.isEmpty() && !closing; inputs = due()) {
        rewrite(inputs, sessions);
      }
    }
  }

  /** Rewrites all files that hold what nobody needs, so that it leaves the disk, durably. */
  void purge(Function<String, LocalSession> sessions) throws IOException {
    synchronized (merging) {
      List<RunFile> remaining;
      synchronized (this) {
        remaining = files.stream().filter(RunFile::hasRemains).toList();
      }
      for (RunFile file : remaining) {
        rewrite(List.of(file), sessions);
        disk.delete(file.path()); // here, as whoever does so else may be slower than what follows
      }
      for (Path leftover : List.copyOf(leftovers)) {
        disk.delete(leftover);
        leftovers.remove(leftover);
      }
      disk.sync(directory);
    }
  }

  private void rewrite(List<RunFile> inputs, Function<String, LocalSession> sessions)
      throws IOException {
    List<RunFile> retained = inputs.stream().filter(RunFile::retain).toList();
    try {
      if (!retained.isEmpty()) {
        merge(retained, sessions);
      }
    } finally {
      for (RunFile file : retained) {
        file.release();
      }
    }
  }

  /** An input of a merge, at one of its sessions. */
  private static final class Head {
    private final RunFile.Index index;
    private final int age;
    private RunEntry entry;

    Head(RunFile file, int age) throws IOException {
      this.index = file.index();
      this.age = age;
      this.entry = index.next();
    }

    String id() {
      return entry.id();
    }

    int age() {
      return age;
    }
  }

  private record Moved(LocalSession session, List<Region> from, RunEntry to) {}

  private void merge(List<RunFile> inputs, Function<String, LocalSession> sessions)
      throws IOException {
    PriorityQueue<Head> heads =
        new PriorityQueue<>(Comparator.comparing(Head::id).thenComparing(Head::age));
    for (int age = 0; age < inputs.size(); age++) {
      Head head = new Head(inputs.get(age), age);
      if (head.entry != null) {
        heads.add(head);
      }
    }
    int level =
        inputs.stream().mapToInt(RunFile::level).max().orElse(0) + (inputs.size() > 1 ? 1 : 0);
    List<Moved> moved = new ArrayList<>();
    RunFile merged;
    try (Output out =
        create(inputs.get(0).first(), inputs.get(inputs.size() - 1).number(), level)) {
      while (!heads.isEmpty()) {
        List<RunEntry> entries = new ArrayList<>();
        String id = heads.peek().id();
        while (!heads.isEmpty() && heads.peek().id().equals(id)) {
          Head head = heads.poll();
          entries.add(head.entry);
          head.entry = head.index.next();
          if (head.entry != null) {
            heads.add(head);
          }
        }
        LocalSession session = sessions.apply(id);
        List<Region> regions = session == null ? List.of() : session.regionsIn(inputs);
        if (!regions.isEmpty()) {
          RunEntry oldest = entryOf(regions.get(0), entries);
          RunEntry youngest = entryOf(regions.get(regions.size() - 1), entries);
          RunEntry to = move(youngest.from(oldest), regions, session, out.writer);
          moved.add(new Moved(session, regions, to));
        }
      }
      merged = moved.isEmpty() ? null : out.publish();
    }
    // All are in use before the first can be retired: a file without any is deleted.
    List<Region> regions = new ArrayList<>();
    for (Moved one : moved) {
      regions.add(merged.region(one.to()));
    }
    List<Region> retired = new ArrayList<>();
    for (int i = 0; i < regions.size(); i++) {
      Moved one = moved.get(i);
      Region to = regions.get(i);
      retired.addAll(one.session().replace(one.from(), to) ? one.from() : List.of(to));
    }
    retired.forEach(this::retire);
    if (merged != null) {
      admit(merged);
    }
  }

  /** Damage is one session's trouble: the others are merged, and it stays as it is. */
  private static RunEntry move(
      RunEntry state, List<Region> regions, LocalSession session, RunFile.Writer to)
      throws IOException {
    try {
      return to.add(state, read(regions));
    } catch (DamageException e) {
      if (session.isDamageNews()) {
        LOG.error("session={} is damaged, and will have no tree: {}", state.id(), e.toString());
      }
      return to.addDamaged(state, regions);
    }
  }

  /**
   * An index may also tell of runs that nobody needs: the entry is that of a region that is needed.
   */
  private static RunEntry entryOf(Region region, List<RunEntry> entries) {
    return entries.stream().filter(entry -> entry.lsn() == region.lsn()).findFirst().orElseThrow();
  }

  /** Merges the regions, the oldest first, into one. Whoever reads retains their files. */
  static Cursor read(List<Region> regions) throws IOException {
    int bufferBytes = Math.max(4 << 10, MERGE_BUFFER_BYTES / Math.max(1, regions.size()));
    List<Cursor> cursors = new ArrayList<>();
    for (Region region : regions) {
      cursors.add(region.file().read(region, Math.min(bufferBytes, 256 << 10)));
    }
    return MergeIterator.of(cursors);
  }

  private synchronized Output create(long first, long number, int level) throws IOException {
    String name = String.format(Locale.ROOT, "%016x-%08x", number, ++lastGeneration) + SUFFIX;
    return new Output(name, first, number, lastGeneration, level);
  }

  /** A file that is being written, under another name until it is whole. */
  private final class Output implements AutoCloseable {
    private final Path file;
    private final Path target;
    private final RunFile.Writer writer;
    private boolean renamed;
    private boolean published;

    Output(String name, long first, long number, long generation, int level) throws IOException {
      this.file = temporary.resolve(name);
      this.target = directory.resolve(name);
      this.writer =
          new RunFile.Writer(disk.createTemporary(file), first, number, generation, level);
    }

    RunFile publish() throws IOException {
      writer.finish();
      disk.rename(file, target);
      renamed = true;
      disk.sync(directory);
      RunFile run = RunFile.open(disk, target);
      published = true;
      return run;
    }

    @Override
    public void close() throws IOException {
      writer.close();
      if (!published) {
        Path written = renamed ? target : file;
        leftovers.add(written);
        disk.delete(written);
        leftovers.remove(written);
      }
    }
  }

  @Override
  public synchronized void close() throws IOException {
    for (RunFile file : files) {
      file.release();
    }
  }
}
