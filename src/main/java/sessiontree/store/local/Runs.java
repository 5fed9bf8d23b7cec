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
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;

/**
 * The run files, ordered by age. Each spill adds one. When there are more than the fan-in, or less
 * than half of their bytes are needed, everything needed is rewritten into one file. This bounds
 * the number of a session's runs, and removes deleted data. A file that nobody needs is deleted.
 *
 * <p>Safe for several threads, but only the spill thread calls {@link #write}, {@link #admit},
 * {@link #mergeDue} and {@link #purge}, so that all files with lower numbers than a merge's are
 * known when the merge begins.
 */
final class Runs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Runs.class);

  static final String SUFFIX = ".run";

  /** Total size up to which files are not rewritten only to reclaim space. */
  private static final long SMALL_BYTES = 1 << 20;

  private static final int MERGE_BUFFER_BYTES = 4 << 20;

  /** A session to write. */
  interface Source {
    RunEntry state();

    /** Returns the children in order. Called just before they are written: sorting takes memory. */
    Cursor children() throws IOException;
  }

  /** Receives the sessions in the existing files, oldest file first. */
  interface EntryVisitor {
    /** Returns the regions that this one makes unnecessary. */
    List<Region> visit(RunEntry entry, Region region);
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;

  /** A session has at most one run in each file, so this bounds the inputs of its merge. */
  private final int fanIn;

  /** Sorted by number. Guarded by this. */
  private final List<RunFile> files = new ArrayList<>();

  /** Guarded by this. */
  private long lastNumber;

  /** Files that nobody needs, and whose deletion has not succeeded yet. */
  private final Set<Path> leftovers = ConcurrentHashMap.newKeySet();

  /** Held while files are rewritten. */
  private final Object merging = new Object();

  /** Set by the thread that closes the store. */
  private volatile boolean closing;

  private Runs(Disk disk, Path directory, Path temporary, int fanIn) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.fanIn = fanIn;
  }

  /** Opens the files of a directory, and deletes those that were merged into another. */
  static Runs open(Disk disk, Path directory, Path temporary, int fanIn, EntryVisitor visitor)
      throws IOException {
    disk.createDirectories(directory);
    disk.sync(directory); // existing files may have been renamed just before the last process ended
    Runs runs = new Runs(disk, directory, temporary, fanIn);
    for (Path path : disk.list(directory)) {
      if (path.getFileName().toString().endsWith(SUFFIX)) {
        RunFile file = RunFile.open(disk, path);
        runs.files.add(file);
        runs.lastNumber = Math.max(runs.lastNumber, file.number());
      }
    }
    long merged =
        runs.files.stream().filter(RunFile::isMerged).mapToLong(RunFile::number).max().orElse(0);
    for (RunFile file : List.copyOf(runs.files)) {
      if (file.number() < merged) {
        runs.delete(file);
      }
    }
    List<Region> needless = new ArrayList<>();
    for (RunFile file : runs.files) {
      RunIndex index = file.index();
      for (RunEntry entry; (entry = index.next()) != null; ) {
        needless.addAll(visitor.visit(entry, file.claim(entry)));
      }
    }
    needless.forEach(runs::retire);
    return runs;
  }

  /** A file that was written, with a region for each source. */
  record Written(RunFile file, List<Region> regions) {}

  /**
   * Writes a new file, the youngest; returns once it is durable. Only admitted files are merged
   * with others.
   */
  Written write(List<? extends Source> sources) throws IOException {
    List<RunEntry> entries = new ArrayList<>(sources.size());
    try (Output out = new Output(nextNumber(), false)) {
      for (Source source : sources) {
        entries.add(out.writer.add(source.state(), source.children()));
      }
      RunFile file = out.publish();
      return new Written(file, entries.stream().map(file::claim).toList());
    }
  }

  /** Returns how many files there are. */
  synchronized int count() {
    return files.size();
  }

  /** Adds a written file if any of its regions is needed. The sessions must know their regions. */
  synchronized void admit(RunFile file) {
    if (file.isLive()) {
      files.add(file);
      files.sort(Comparator.comparingLong(RunFile::number));
    }
  }

  /** Marks a region as not needed any more. The change that made it so must be durable. */
  void retire(Region region) {
    if (region.file().retire(region)) {
      delete(region.file());
    }
  }

  private void delete(RunFile file) {
    leftovers.add(file.path()); // first, so that a purge always knows of it
    synchronized (this) {
      files.remove(file);
    }
    try {
      disk.delete(file.path());
      leftovers.remove(file.path());
      file.release();
    } catch (IOException e) { // the next start finds that nobody needs the file
      LOG.warn("{} cannot be deleted: {}", file.path().getFileName(), e.toString());
    }
  }

  /** A merge to do: its inputs are all files that exist, and its number is the next one. */
  record Merge(List<RunFile> inputs, long number) {}

  /** Aborts the merge in progress, and refuses further ones. */
  void stop() {
    closing = true;
  }

  /** Begins a merge, to be passed to {@link #merge}; returns null if none is due. */
  synchronized Merge mergeDue() {
    long bytes = files.stream().mapToLong(RunFile::bytes).sum();
    long needed = files.stream().mapToLong(RunFile::liveBytes).sum();
    boolean wasteful = bytes > SMALL_BYTES && needed < bytes / 2;
    return wasteful || files.size() > fanIn ? begin() : null;
  }

  private synchronized Merge begin() {
    return new Merge(List.copyOf(files), nextNumber());
  }

  private synchronized long nextNumber() {
    return ++lastNumber;
  }

  /**
   * Rewrites what is needed of the inputs into one file. Inputs merged and closed meanwhile have
   * nothing left.
   */
  void merge(Merge merge, Function<String, LocalSession> sessions) throws IOException {
    synchronized (merging) {
      List<RunFile> retained = merge.inputs().stream().filter(RunFile::retain).toList();
      try {
        rewrite(retained, merge.number(), sessions);
      } finally {
        for (RunFile file : retained) {
          file.release();
        }
      }
    }
  }

  /** Durably removes all data that nobody needs from the directory. */
  void purge(Function<String, LocalSession> sessions) throws IOException {
    synchronized (merging) {
      Merge merge = begin();
      if (merge.inputs().stream().anyMatch(RunFile::hasGarbage)) {
        merge(merge, sessions);
        for (RunFile file : merge.inputs()) { // another thread may not have deleted it yet
          disk.delete(file.path());
        }
      }
      for (Path leftover : List.copyOf(leftovers)) {
        disk.delete(leftover);
        leftovers.remove(leftover);
      }
      disk.sync(directory);
    }
  }

  /** An input of a merge, positioned at one of its sessions. */
  private static final class Head {
    private final RunIndex index;
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

  private void rewrite(List<RunFile> inputs, long number, Function<String, LocalSession> sessions)
      throws IOException {
    PriorityQueue<Head> heads =
        new PriorityQueue<>(Comparator.comparing(Head::id).thenComparing(Head::age));
    for (int age = 0; age < inputs.size(); age++) {
      Head head = new Head(inputs.get(age), age);
      if (head.entry != null) {
        heads.add(head);
      }
    }
    List<Moved> moved = new ArrayList<>();
    RunFile merged;
    try (Output out = new Output(number, true)) {
      while (!heads.isEmpty()) {
        if (closing) {
          throw new IOException("the store is closing");
        }
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
          RunEntry youngest = entryOf(regions.get(regions.size() - 1), entries);
          RunEntry to = move(youngest.withOlderRuns(), regions, session, out.writer);
          moved.add(new Moved(session, regions, to));
        }
      }
      merged = moved.isEmpty() ? null : out.publish();
    }
    // Count all regions as needed before retiring any: a file with none is deleted.
    List<Region> regions = new ArrayList<>();
    for (Moved one : moved) {
      regions.add(merged.claim(one.to()));
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

  /** Moves a session's runs. A damaged session is copied as it is, and does not stop the merge. */
  private static RunEntry move(
      RunEntry state, List<Region> regions, LocalSession session, RunWriter to) throws IOException {
    try {
      return to.add(state, read(regions));
    } catch (DamageException e) {
      session.logDamage(e);
      return to.addDamaged(state, regions);
    }
  }

  /**
   * Returns the entry of a region that is needed; the index may also have runs that nobody needs.
   */
  private static RunEntry entryOf(Region region, List<RunEntry> entries) {
    return entries.stream().filter(entry -> entry.lsn() == region.lsn()).findFirst().orElseThrow();
  }

  /** Merges regions, given oldest first. The caller must have retained their files. */
  static Cursor read(List<Region> regions) throws IOException {
    int bufferBytes = Math.max(4 << 10, MERGE_BUFFER_BYTES / Math.max(1, regions.size()));
    List<Cursor> cursors = new ArrayList<>();
    for (Region region : regions) {
      cursors.add(region.file().read(region, Math.min(bufferBytes, 256 << 10)));
    }
    return MergeIterator.of(cursors);
  }

  /** A file being written, outside the directory until it is complete. */
  private final class Output implements AutoCloseable {
    private final Path file;
    private final Path target;
    private final RunWriter writer;
    private boolean renamed;
    private boolean published;

    Output(long number, boolean merged) throws IOException {
      String name = String.format(Locale.ROOT, "%016x", number) + SUFFIX;
      this.file = temporary.resolve(name);
      this.target = directory.resolve(name);
      this.writer = new RunWriter(disk.createTemporary(file), number, merged);
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
