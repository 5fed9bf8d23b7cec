package sessiontree.store.local;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Listing;
import sessiontree.store.SessionState;
import sessiontree.store.Tree;

/**
 * The trees of complete sessions, a file each, published by rename. Safe for several threads, one a
 * session.
 *
 * <p>What a tree does not tell (its writers' numbers, and how many entries it has without counting
 * them) stands in a second file beside it, if it has named writers or is large.
 */
final class TreeFiles {
  /**
   * Whoever opens a tree up to this size counts its entries; larger ones have them written down.
   */
  private static final long COUNTED_BYTES = 256 << 10;

  private static final String SUFFIX = ".json";
  private static final String MARK = "forcing";
  private static final int FORCERS = 4;
  private static final HexFormat HEX = HexFormat.of();

  /** How a tree begins; a timestamp has at most a thousand characters. */
  private static final Pattern HEAD =
      Pattern.compile("\\{\"type\":\"SESSION\",\"start\":([^,]+),\"end\":([^,]+),");

  private static final int MAX_HEAD_BYTES = 2_100;

  private static final Logger LOG = LoggerFactory.getLogger(TreeFiles.class);

  /** Reads trees, whatever their members are: messages had their limits. */
  private static final JsonFactory TREES =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build())
          .build();

  /** Made when it is first needed, which a start does not: it takes a tenth of a second. */
  private static final class Json {
    /** The same facts have the same bytes. */
    private static final ObjectMapper MAPPER =
        new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
  }

  /** What stands beside a tree. Public members are its JSON. */
  record Facts(long entries, Map<String, Long> writers) {}

  /** Writes a tree. */
  interface Content {
    void write(OutputStream out) throws IOException;
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;
  private final Set<Path> made = ConcurrentHashMap.newKeySet();

  /** Sessions of whose files a force failed, or may have. */
  private final Set<String> suspect = ConcurrentHashMap.newKeySet();

  /**
   * There while trees are being forced, and while some are suspect. Whoever finds it does not know
   * of which trees the force failed: what can be read of them may yet not be on disk, and another
   * force would not tell. It need not survive loss of power, as what can be read then is on disk.
   */
  private final Path mark;

  /** Whether the process before may have had a force fail; until recovery is done. */
  private volatile boolean doubtful;

  /** How many are being forced, each by one call. Guarded by mark. */
  private int forcing;

  /** Several at once share what the file system does for a force. */
  private final ThreadPoolExecutor forcers =
      new ThreadPoolExecutor(
          FORCERS,
          FORCERS,
          1,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          LocalStore.daemons("force"));

  /** A tree is deleted and forced under one of them; which, its id tells. */
  private final Object[] locks = new Object[256];

  /** Folders from which something was removed since they were synced. */
  private final Set<Path> removed = ConcurrentHashMap.newKeySet();

  private final AtomicLong temporaries = new AtomicLong();

  private TreeFiles(Disk disk, Path directory, Path temporary, boolean doubtful) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.mark = temporary.resolve(MARK);
    this.doubtful = doubtful;
    Arrays.setAll(locks, i -> new Object());
    forcers.allowCoreThreadTimeOut(true);
  }

  /** Opens the trees of a directory, and removes what was being written when the process ended. */
  static TreeFiles open(Disk disk, Path directory, Path temporary) throws IOException {
    disk.createDirectories(directory);
    disk.createDirectories(temporary);
    boolean doubtful = false;
    for (Path file : disk.list(temporary)) {
      if (file.endsWith(MARK)) {
        doubtful = true;
      } else {
        disk.delete(file);
      }
    }
    return new TreeFiles(disk, directory, temporary, doubtful);
  }

  /**
   * The path of a session's tree, relative to the directory: {@code 5c/id.json}. The folder spreads
   * files out; the name is the id in lower case and, if that is another, "+" and which characters
   * are in upper case, as file systems may not tell them apart.
   */
  static String relativePath(String id) {
    int hash = id.hashCode();
    String folder = folder((hash ^ hash >>> 8 ^ hash >>> 16 ^ hash >>> 24) & 0xff);
    String lower = id.toLowerCase(Locale.ROOT);
    if (lower.equals(id)) {
      return folder + id + SUFFIX;
    }
    BigInteger upper = BigInteger.ZERO;
    for (int i = 0; i < id.length(); i++) {
      if (id.charAt(i) != lower.charAt(i)) {
        upper = upper.setBit(i);
      }
    }
    return folder + lower + "+" + upper.toString(16) + SUFFIX;
  }

  /** The folder of that number, as relative paths begin. */
  static String folder(int number) {
    return HEX.toHexDigits((byte) number) + "/";
  }

  /** The number of a relative path's folder. */
  static int folder(String relativePath) {
    return HexFormat.fromHexDigits(relativePath, 0, 2);
  }

  /** The session whose tree has that relative path. */
  static String id(String relativePath) {
    String name = relativePath.substring(3, relativePath.length() - SUFFIX.length());
    int plus = name.indexOf('+');
    if (plus < 0) {
      return name;
    }
    StringBuilder id = new StringBuilder(name.substring(0, plus));
    BigInteger upper = new BigInteger(name.substring(plus + 1), 16);
    for (int i = 0; i < plus; i++) {
      if (upper.testBit(i)) {
        id.setCharAt(i, Character.toUpperCase(id.charAt(i)));
      }
    }
    return id.toString();
  }

  /** The relative paths of a folder's trees, in order. */
  List<String> list(int folder) throws IOException {
    String prefix = folder(folder);
    List<String> paths = new ArrayList<>();
    for (Path file : disk.list(directory.resolve(prefix))) {
      String name = file.getFileName().toString();
      if (name.endsWith(SUFFIX)) {
        paths.add(prefix + name);
      }
    }
    return paths;
  }

  /** When the session was complete, in microseconds since the UNIX epoch; -1 if it is not. */
  long completed(String id) throws IOException {
    try {
      return disk.modified(path(id));
    } catch (NoSuchFileException e) {
      return -1;
    }
  }

  private Path path(String id) {
    return directory.resolve(relativePath(id));
  }

  private static Path factsPath(Path tree) {
    return tree.resolveSibling(tree.getFileName().toString().replaceFirst("json$", "facts"));
  }

  /**
   * A tree that was put in place and not forced since. There may be hundreds of thousands.
   *
   * @param crc checksum of what was written
   * @param hasFacts whether there is a file beside it
   * @param factsCrc checksum of that
   */
  record Unforced(String id, int crc, boolean hasFacts, int factsCrc) {}

  /**
   * Writes the session's tree, and puts it in place. It is whole then, but not durable: {@link
   * #force} makes it so.
   *
   * @param completed in microseconds since the UNIX epoch
   */
  Unforced publish(String id, long completed, Facts facts, Content content) throws IOException {
    Path path = path(id);
    if (!made.contains(path.getParent())) {
      disk.createDirectories(path.getParent());
      made.add(path.getParent());
    }
    Written tree = write(content);
    try {
      boolean hasFacts = areWritten(facts, tree.bytes);
      int factsCrc = 0;
      if (hasFacts) {
        Written beside = write(content(facts));
        disk.rename(beside.file, factsPath(path));
        factsCrc = beside.crc;
      }
      disk.setModified(tree.file, completed);
      disk.rename(tree.file, path);
      suspect.remove(id);
      return new Unforced(id, tree.crc, hasFacts, factsCrc);
    } catch (IOException e) {
      delete(tree.file, e);
      throw e;
    }
  }

  private static boolean areWritten(Facts facts, long treeBytes) {
    return !facts.writers().isEmpty() || treeBytes > COUNTED_BYTES;
  }

  private static Content content(Facts facts) {
    return out -> out.write(Json.MAPPER.writeValueAsBytes(facts));
  }

  /**
   * Publishes the tree, unless just that is there already; then it counts as one that was put in
   * place now. For the thread that opens the store.
   */
  Unforced restore(String id, long completed, Facts facts, Content content) throws IOException {
    if (doubtful) {
      suspect.add(id);
    }
    Unforced found = find(id, completed, facts, content);
    return found != null ? found : publish(id, completed, facts, content);
  }

  /** The tree, if it, its facts and its time are the same; or null. */
  private Unforced find(String id, long completed, Facts facts, Content content) {
    Path path = path(id);
    try {
      if (disk.modified(path) != completed) {
        return null;
      }
      Comparison tree = compare(path, content);
      boolean hasFacts = areWritten(facts, tree.position);
      Comparison beside = hasFacts ? compare(factsPath(path), content(facts)) : null;
      return tree.isSame() && (!hasFacts || beside.isSame())
          ? new Unforced(id, tree.crc(), hasFacts, hasFacts ? beside.crc() : 0)
          : null;
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException e) { // if that is not only for want of what is there, publishing tells
      LOG.warn("session={} its tree is written again: {}", id, e.toString());
      return null;
    }
  }

  private Comparison compare(Path path, Content content) throws IOException {
    try (Comparison comparison = new Comparison(disk.open(path))) {
      content.write(comparison);
      return comparison.atEnd();
    }
  }

  /** Removes a tree; for good, when the removal was made durable. */
  void delete(String id) throws IOException {
    Path path = path(id);
    synchronized (lock(id)) {
      try {
        disk.delete(path);
        disk.delete(factsPath(path));
        suspect.remove(id);
      } finally { // not before: it is taken for done when it is synced
        removed.add(path.getParent());
      }
    }
  }

  private Object lock(String id) {
    return locks[id.hashCode() & locks.length - 1];
  }

  /** Makes removals durable. */
  void forceRemovals() throws IOException {
    for (Path folder : List.copyOf(removed)) {
      removed.remove(folder);
      try {
        disk.sync(folder);
      } catch (NoSuchFileException e) {
        LOG.debug("{} was never made", folder);
      } catch (IOException e) {
        removed.add(folder);
        throw e;
      }
    }
  }

  private record Written(Path file, long bytes, int crc) {}

  private Written write(Content content) throws IOException {
    Path file = temporary.resolve(Long.toString(temporaries.incrementAndGet()));
    try (Output out = new Output(disk.create(file))) {
      content.write(out);
      return new Written(file, out.position, (int) out.crc.getValue());
    } catch (IOException e) {
      delete(file, e);
      throw e;
    }
  }

  private void delete(Path file, IOException cause) {
    try {
      disk.delete(file);
    } catch (IOException e) { // the next start does
      cause.addSuppressed(e);
    }
  }

  /** Makes trees durable. Those that are not there any more are passed over. */
  void force(List<Unforced> trees) throws IOException {
    setMark();
    try {
      Set<Path> folders = ConcurrentHashMap.newKeySet();
      forceFiles(trees, folders);
      for (Path folder : folders) {
        disk.sync(folder);
      }
      if (!folders.isEmpty()) {
        disk.sync(directory); // for the folders themselves
      }
    } finally {
      clearMark();
    }
  }

  private void setMark() throws IOException {
    synchronized (mark) {
      if (forcing == 0) {
        disk.create(mark).close();
      }
      forcing++;
    }
  }

  private void clearMark() {
    synchronized (mark) {
      forcing--;
      if (forcing == 0 && suspect.isEmpty() && !doubtful) {
        try {
          disk.delete(mark);
        } catch (IOException e) { // the next start copies trees in vain
          LOG.debug("{} cannot be deleted: {}", mark, e.toString());
        }
      }
    }
  }

  /** All trees that need it were restored: no other is in doubt. */
  void restored() {
    doubtful = false;
  }

  private void forceFiles(List<Unforced> trees, Set<Path> folders) throws IOException {
    AtomicInteger next = new AtomicInteger();
    AtomicReference<IOException> failure = new AtomicReference<>();
    Runnable part =
        () -> {
          try {
            int at;
            while (failure.get() == null && (at = next.getAndIncrement()) < trees.size()) {
              force(trees.get(at), folders);
            }
          } catch (IOException e) {
            failure.set(e);
          }
        };
    if (trees.size() == 1) {
      part.run();
    } else {
      CompletableFuture.allOf(
              Stream.generate(() -> CompletableFuture.runAsync(part, forcers))
                  .limit(FORCERS)
                  .toArray(CompletableFuture<?>[]::new))
          .join();
    }
    if (failure.get() != null) {
      throw failure.get();
    }
  }

  /**
   * Not while another thread does so, which happens if it has runs as well as log records: what one
   * force fails to write, the other would take for written.
   */
  private void force(Unforced tree, Set<Path> folders) throws IOException {
    Path path = path(tree.id());
    synchronized (lock(tree.id())) {
      try {
        if (suspect.contains(tree.id())) {
          copy(tree, path);
        } else {
          if (tree.hasFacts()) {
            forceOnce(tree.id(), factsPath(path));
          }
          forceOnce(tree.id(), path);
        }
        folders.add(path.getParent());
      } catch (NoSuchFileException e) {
        LOG.debug("{} was deleted", path);
      }
    }
  }

  private void forceOnce(String id, Path path) throws IOException {
    try (Disk.DiskFile file = disk.open(path)) {
      file.force();
    } catch (NoSuchFileException e) {
      throw e;
    } catch (IOException e) {
      suspect.add(id);
      throw e;
    }
  }

  /**
   * A force failed, and another would mean nothing: what can be read still is written anew, if it
   * is what was written. Not while it may be deleted: its name would come back.
   */
  private void copy(Unforced tree, Path path) throws IOException {
    if (tree.hasFacts()) {
      copy(factsPath(path), tree.factsCrc());
    }
    copy(path, tree.crc());
    suspect.remove(tree.id());
  }

  private void copy(Path path, int crc) throws IOException {
    Path copy = temporary.resolve(Long.toString(temporaries.incrementAndGet()));
    try (Disk.DiskFile from = disk.open(path);
        Disk.DiskFile to = disk.create(copy);
        Input in = new Input(from, from.size());
        Output out = new Output(to)) {
      in.transferTo(out);
      if ((int) out.crc.getValue() != crc) {
        throw new DamageException(
            path,
            String.format(
                "checksum mismatch: expected %08x, got %08x", crc, (int) out.crc.getValue()));
      }
      disk.setModified(copy, disk.modified(path));
      to.force();
      disk.rename(copy, path);
    } catch (IOException e) {
      delete(copy, e);
      throw e;
    }
  }

  boolean exists(String id) throws IOException {
    try {
      disk.open(path(id)).close();
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  Optional<Tree> tree(String id) throws IOException {
    return Optional.ofNullable(open(id));
  }

  private OpenTree open(String id) throws IOException {
    Path path = path(id);
    while (true) {
      Disk.DiskFile file;
      try {
        long completed = disk.modified(path);
        file = disk.open(path);
        if (completed == disk.modified(path)) { // or else it was replaced meanwhile
          return open(path, file, completed);
        }
        file.close();
      } catch (NoSuchFileException e) {
        return null;
      }
    }
  }

  private static OpenTree open(Path path, Disk.DiskFile file, long completed) throws IOException {
    try {
      long size = file.size();
      ByteBuffer last = ByteBuffer.allocate(2);
      file.read(last, Math.max(0, size - 2));
      if (last.get(0) != ']' || last.get(1) != '}') {
        throw new DamageException(path, "expected to end with ]}, at offset " + size);
      }
      return new OpenTree(file, size, Long.toHexString(completed) + "-" + Long.toHexString(size));
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  private record OpenTree(Disk.DiskFile file, long bytes, String tag) implements Tree {
    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      return file.read(target, position);
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** What a page tells of a complete session; null if it is none, or its tree cannot be read. */
  Listing.Listed listed(String id) {
    try (OpenTree tree = open(id)) {
      if (tree == null) {
        return null;
      }
      ByteBuffer head = ByteBuffer.allocate((int) Math.min(MAX_HEAD_BYTES, tree.bytes));
      tree.read(head, 0);
      Matcher bounds =
          HEAD.matcher(new String(head.array(), 0, head.position(), StandardCharsets.US_ASCII));
      if (bounds.lookingAt()) {
        return new Listing.Listed(id, true, bounds.group(1), bounds.group(2), 0, tree.bytes);
      }
      throw new DamageException(path(id), "expected to begin as a tree does, at offset 0");
    } catch (IOException e) { // the others can be listed
      LOG.warn("a tree is not listed: {}", e.toString());
      return null;
    }
  }

  /** Complete, or new. */
  SessionState state(String id) throws IOException {
    try (OpenTree tree = open(id)) {
      if (tree == null) {
        return SessionState.NEW;
      }
      Facts facts = facts(id);
      if (facts == null) {
        facts = new Facts(countEntries(new Input(tree.file, tree.bytes)), Map.of());
      }
      return new SessionState(SessionState.Phase.COMPLETE, 0, facts.entries(), 0, facts.writers());
    }
  }

  private Facts facts(String id) throws IOException {
    Disk.DiskFile file;
    try {
      file = disk.open(factsPath(path(id)));
    } catch (NoSuchFileException e) {
      return null;
    }
    try (InputStream in = new Input(file, file.size())) {
      return Json.MAPPER.readValue(in, Facts.class);
    }
  }

  private static long countEntries(InputStream tree) throws IOException {
    long objects = 0;
    try (JsonParser json = TREES.createParser(tree)) {
      int depth = 0;
      for (JsonToken token; (token = json.nextToken()) != null; ) {
        if (token.isStructStart()) {
          depth++;
          objects += depth == 3 ? 1 : 0; // the session, its children, a child
        } else if (token.isStructEnd()) {
          depth--;
        }
      }
    }
    return objects + 2;
  }

  /** Writes a file from its beginning. */
  private static final class Output extends OutputStream {
    private final Disk.DiskFile file;
    private final CRC32C crc = new CRC32C();
    private long position;

    Output(Disk.DiskFile file) {
      this.file = file;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      file.write(ByteBuffer.wrap(bytes, offset, length), position);
      crc.update(bytes, offset, length);
      position += length;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** Compares what is written with what a file holds. */
  private static final class Comparison extends OutputStream {
    private static final int BUFFER_BYTES = 1 << 16;

    private final Disk.DiskFile file;
    private final CRC32C crc = new CRC32C();
    private long position;
    private boolean same = true;

    Comparison(Disk.DiskFile file) {
      this.file = file;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      ByteBuffer there = ByteBuffer.allocate(Math.min(length, BUFFER_BYTES));
      for (int at = 0; same && at < length; at += there.limit()) {
        there.clear().limit(Math.min(there.capacity(), length - at));
        int read = file.read(there, position + at);
        same =
            read == there.limit() && there.flip().equals(ByteBuffer.wrap(bytes, offset + at, read));
      }
      crc.update(bytes, offset, length);
      position += length;
    }

    /** All was written. */
    Comparison atEnd() throws IOException {
      same &= file.size() == position;
      return this;
    }

    boolean isSame() {
      return same;
    }

    int crc() {
      return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** Reads a file from its beginning. */
  private static final class Input extends InputStream {
    private final Disk.DiskFile file;
    private final long size;
    private long position;

    Input(Disk.DiskFile file, long size) {
      this.file = file;
      this.size = size;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (position >= size) {
        return -1;
      }
      int n = file.read(ByteBuffer.wrap(bytes, offset, length), position);
      position += n;
      return n == 0 && length > 0 ? -1 : n;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
