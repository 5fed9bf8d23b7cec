package sessiontree.store.local;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Listing;
import sessiontree.store.MemoryTree;
import sessiontree.store.Tree;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * The trees of complete sessions, a file each, forced and then published by rename: a tree that has
 * its name is whole and durable. The name itself is durable when {@link #syncFolders} has returned.
 * Safe for several threads, one a session.
 *
 * <p>What a tree does not tell (its writers' numbers, and how many entries it has without counting
 * them) stands in a second file beside it, if it has named writers or is large.
 */
final class TreeFiles {
  /**
   * Of a tree up to this size the entries are counted, and a hash is its tag: it is read whole for
   * that. Larger ones have facts.
   */
  static final int COUNTED_BYTES = 64 << 10;

  /** Of a hash, that are enough to tell trees apart. */
  private static final int HASH_BYTES = 12;

  /** How a tree begins; a timestamp has at most a thousand characters. */
  private static final Pattern HEAD =
      Pattern.compile("\\{\"type\":\"SESSION\",\"start\":([^,]+),\"end\":([^,]+),");

  private static final int MAX_HEAD_BYTES = 2_100;

  private static final Logger LOG = LoggerFactory.getLogger(TreeFiles.class);

  /** Reads trees, whatever their members are: messages had their limits. */
  private static final JsonFactory TREES =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES) // the factory would keep them
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

  /**
   * What stands beside a tree. Public members are its JSON, in this order.
   *
   * @param lsn the number of the log record that ended the session; 0 in facts of earlier versions
   */
  record Facts(long lsn, long entries, Map<String, Long> writers) {
    private static final String LSN = "lsn";
  }

  /** Writes a tree. */
  interface Content {
    void write(OutputStream out) throws IOException;
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;
  private final TreeCache cache;

  /** Folders in which names were made or removed since they were synced. */
  private final Set<Path> changed = ConcurrentHashMap.newKeySet();

  /** Sessions whose trees are damaged, and that the log names. */
  private final Set<String> damaged = ConcurrentHashMap.newKeySet();

  private final AtomicLong temporaries = new AtomicLong();

  private TreeFiles(Disk disk, Path directory, Path temporary, TreeCache cache) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.cache = cache;
  }

  /**
   * Opens the trees of a directory, and removes what was being written when the process ended.
   *
   * @param cachedBytes of small trees that are kept in memory once they were read
   */
  static TreeFiles open(Disk disk, Path directory, Path temporary, long cachedBytes)
      throws IOException {
    disk.createDirectories(directory);
    disk.createDirectories(temporary);
    for (Path file : disk.list(temporary)) {
      disk.delete(file);
    }
    return new TreeFiles(disk, directory, temporary, new TreeCache(cachedBytes));
  }

  /** The relative paths of a folder's trees, in order. Files that are none are passed over. */
  List<String> list(int folder) throws IOException {
    String prefix = TreePath.folder(folder);
    List<String> paths = new ArrayList<>();
    for (Path file : disk.list(directory.resolve(prefix))) {
      String path = prefix + file.getFileName();
      if (path.endsWith(TreePath.SUFFIX) && TreePath.id(path) != null) { // or it is a stray file
        paths.add(path);
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

  /**
   * When a complete session was begun, as far as its tree tells: by the client's clock, but not
   * after it was complete, nor after now. In microseconds since the UNIX epoch.
   */
  long began(String id, long now) throws IOException {
    Listing.Listed tree = listed(id, null);
    long latest = Math.min(now, completed(id));
    return tree == null
        ? latest
        : Math.min(latest, (long) (Double.parseDouble(tree.start()) * 1_000_000));
  }

  private Path path(String id) {
    return directory.resolve(TreePath.of(id));
  }

  /**
   * Writes the session's tree and its facts, forces both, and gives them their names. When one step
   * fails, what was written is thrown away: a second force of it might succeed and mean nothing.
   *
   * @param completed in microseconds since the UNIX epoch
   */
  void publish(String id, long completed, Facts facts, Content content) throws IOException {
    Path path = path(id);
    Path tree = nextTemporary();
    Path beside = nextTemporary();
    try {
      boolean hasFacts = areWritten(facts, write(tree, content, completed));
      if (hasFacts) {
        write(beside, content(facts), completed);
      }
      try {
        if (hasFacts) {
          place(beside, TreePath.facts(path));
        }
        place(tree, path);
      } finally { // not before: a folder is taken for durable when it is synced
        changed.add(path.getParent());
      }
    } catch (IOException | RuntimeException e) {
      delete(tree, e);
      delete(beside, e);
      throw e;
    }
  }

  /** Puts a file in place; makes the folder, if it was not needed before, or was removed. */
  private void place(Path file, Path target) throws IOException {
    try {
      disk.rename(file, target);
    } catch (NoSuchFileException e) {
      disk.createDirectory(directory);
      disk.createDirectory(target.getParent());
      changed.add(directory);
      disk.rename(file, target);
    }
  }

  /**
   * Whether the tree of a session that recovery knows to have ended is there, with its facts. It is
   * whole then; its name is durable when the folders are synced. Another session's of the same id
   * it cannot be, or a tombstone that is replayed later removes it, and it is made anew.
   */
  boolean isPublished(String id, Facts facts) throws IOException {
    Path path = path(id);
    try (Disk.DiskFile tree = disk.open(path)) {
      if (areWritten(facts, tree.size()) && !facts.equals(readFacts(id))) {
        return false; // of two names, loss of power may leave one
      }
      found(path);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    } catch (JsonProcessingException | DamageException e) {
      LOG.warn("session={} its tree is written again, as its facts are damaged", id);
      return false;
    }
  }

  /** What was there at the start may have been named just before the process before it ended. */
  private void found(Path tree) {
    changed.add(tree.getParent());
    changed.add(directory);
  }

  private static boolean areWritten(Facts facts, long treeBytes) {
    return !facts.writers().isEmpty() || treeBytes > COUNTED_BYTES;
  }

  private static Content content(Facts facts) {
    return out -> out.write(Json.MAPPER.writeValueAsBytes(facts));
  }

  /** Removes a tree; for good, when the folders are synced. */
  void delete(String id) throws IOException {
    Path path = path(id);
    try {
      disk.delete(path);
      disk.delete(TreePath.facts(path));
    } finally {
      changed.add(path.getParent());
      cache.remove(id);
      damaged.remove(id);
    }
  }

  /** Makes the names of all trees durable, and their removal. By one thread at a time. */
  void syncFolders() throws IOException {
    for (Path folder : List.copyOf(changed)) {
      changed.remove(folder);
      try {
        disk.sync(folder);
      } catch (NoSuchFileException e) {
        LOG.debug("{} was never made", folder);
      } catch (IOException e) {
        changed.add(folder);
        throw e;
      }
    }
  }

  /** Makes the name of one tree durable. */
  void syncFolder(String id) throws IOException {
    disk.sync(path(id).getParent());
    disk.sync(directory); // for the folder itself
  }

  private Path nextTemporary() {
    return temporary.resolve(Long.toString(temporaries.incrementAndGet()));
  }

  /** Writes a file, sets its time, and forces it. Returns its length. */
  private long write(Path file, Content content, long modified) throws IOException {
    try (DiskStreams.Output out = new DiskStreams.Output(disk.createTemporary(file))) {
      content.write(out);
      disk.setModified(file, modified); // before: file systems that force a length force it as well
      out.force();
      return out.position();
    }
  }

  /**
   * Writes a tree that nobody needs when it is closed: a file without a name, and not forced; or in
   * memory, if it is small.
   */
  Tree unnamed(Content content, boolean small) throws IOException {
    if (small) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      content.write(out);
      return new MemoryTree(out.toByteArray(), "");
    }
    Path path = nextTemporary();
    Disk.DiskFile file = disk.createTemporary(path);
    try {
      disk.delete(path);
      DiskStreams.Output out = new DiskStreams.Output(file);
      content.write(out);
      return new OpenTree(file, out.position(), "");
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private void delete(Path file, Exception cause) {
    try {
      disk.delete(file);
    } catch (IOException e) { // the next start does
      cause.addSuppressed(e);
    }
  }

  /** Whether the tree is there. Its name is durable when the folders are synced. */
  boolean exists(String id) throws IOException {
    try {
      disk.open(path(id)).close();
      found(path(id));
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  Optional<Tree> tree(String id) throws IOException {
    MemoryTree cached = cache.get(id);
    if (cached != null) {
      return Optional.of(cached);
    }
    Path path = path(id);
    try {
      while (true) {
        long removals = cache.removals();
        OpenTree tree = open(id, path);
        if (tree.bytes <= TreeCache.MAX_TREE_BYTES) {
          try (tree) {
            MemoryTree read = readWhole(id, path, tree);
            cache.put(id, read, removals);
            return Optional.of(read);
          }
        }
        Tree tagged = tagged(id, path, tree, removals);
        if (removals == cache.removals()) {
          return Optional.of(tagged);
        }
        tree.close(); // it may have been replaced before its tag was read
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /** The tree, if it is in memory; or null. For tests. */
  Tree cached(String id) {
    return cache.get(id);
  }

  /** The sessions whose trees were found damaged. */
  Set<String> damaged() {
    return damaged;
  }

  /** Names it in the log, once. */
  private DamageException damage(String id, Path file, String what) {
    DamageException damage = new DamageException(file, what);
    if (damaged.add(id)) {
      LOG.error("session={} is damaged, and can only be deleted: {}", id, damage.toString());
    }
    return damage;
  }

  private MemoryTree readWhole(String id, Path path, OpenTree tree) throws IOException {
    ByteBuffer json = ByteBuffer.allocate((int) tree.bytes);
    tree.read(json, 0);
    if (json.hasRemaining()) {
      throw damage(id, path, "the file ends before offset " + tree.bytes);
    }
    return new MemoryTree(json.array(), tag(path, json.array()));
  }

  private Tree tagged(String id, Path path, OpenTree tree, long removals) throws IOException {
    try {
      String tag = cache.tag(id);
      if (tag == null) {
        boolean hashed = tree.bytes <= COUNTED_BYTES;
        tag = hashed ? readWhole(id, path, tree).tag() : tag(path, tree.bytes);
        cache.putTag(id, tag, removals);
      }
      return new OpenTree(tree.file, tree.bytes, tag);
    } catch (IOException e) {
      tree.close();
      throw e;
    }
  }

  /** The tag of the tree that is there, be it damaged or not; null if there is none. */
  String tag(String id) throws IOException {
    Path path = path(id);
    try (Disk.DiskFile file = disk.open(path)) {
      long bytes = file.size();
      if (bytes > COUNTED_BYTES) {
        return tag(path, bytes);
      }
      ByteBuffer json = ByteBuffer.allocate((int) bytes);
      file.read(json, 0);
      return tag(path, json.array());
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** A small tree's: two that differ have different hashes, whatever the clock does. */
  private String tag(Path path, byte[] json) throws IOException {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(json);
      return HexFormat.of().formatHex(hash, 0, HASH_BYTES) + modified(path);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has it", e);
    }
  }

  /**
   * A large tree's: its facts tell the number of the record that ended it, which has fewer digits
   * than a hash. Those that an earlier version wrote do not; then its size must do.
   */
  private String tag(Path path, long bytes) throws IOException {
    try (JsonParser facts = TREES.createParser(input(TreePath.facts(path)))) {
      facts.nextToken();
      if (Facts.LSN.equals(facts.nextFieldName())) {
        return Long.toHexString(facts.nextLongValue(0)) + modified(path);
      }
    } catch (NoSuchFileException | JsonProcessingException e) {
      LOG.debug("{} has no facts that can be read: {}", path.getFileName(), e.toString());
    }
    return "0-" + Long.toHexString(bytes) + modified(path);
  }

  /** Tells trees apart that have the same bytes, where the clock goes on. */
  private String modified(Path path) throws IOException {
    return "-" + Long.toHexString(disk.modified(path));
  }

  private InputStream input(Path path) throws IOException {
    Disk.DiskFile file = disk.open(path);
    return new DiskStreams.Input(file, file.size());
  }

  /** Opens a tree; throws NoSuchFileException if there is none. */
  private OpenTree open(String id, Path path) throws IOException {
    Disk.DiskFile file = disk.open(path);
    try {
      long size = file.size();
      ByteBuffer last = ByteBuffer.allocate(2);
      file.read(last, Math.max(0, size - 2));
      if (last.get(0) != ']' || last.get(1) != '}') {
        throw damage(id, path, "expected to end with ]}, at offset " + size);
      }
      return new OpenTree(file, size, null);
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
  Listing.Listed listed(String id, Instant begun) {
    try (OpenTree tree = open(id, path(id))) {
      ByteBuffer head = ByteBuffer.allocate((int) Math.min(MAX_HEAD_BYTES, tree.bytes));
      tree.read(head, 0);
      Matcher bounds =
          HEAD.matcher(new String(head.array(), 0, head.position(), StandardCharsets.US_ASCII));
      if (bounds.lookingAt()) {
        Instant completed = Instant.EPOCH.plus(disk.modified(path(id)), ChronoUnit.MICROS);
        return new Listing.Listed(
            id, true, begun, completed, bounds.group(1), bounds.group(2), 0, tree.bytes);
      }
      throw damage(id, path(id), "expected to begin as a tree does, at offset 0");
    } catch (NoSuchFileException | DamageException e) { // the others can be listed
      return null;
    } catch (IOException e) {
      LOG.warn("a tree is not listed: {}", e.toString());
      return null;
    }
  }

  /** What stands beside a complete session's tree, or would; null if it is not complete. */
  Facts facts(String id) throws IOException {
    try (OpenTree tree = open(id, path(id))) {
      Facts facts = readFacts(id);
      return facts != null
          ? facts
          : new Facts(0, countEntries(new DiskStreams.Input(tree.file, tree.bytes)), Map.of());
    } catch (NoSuchFileException e) {
      return null;
    } catch (JsonProcessingException e) {
      throw damage(id, path(id), "its tree or its facts are no JSON: " + e.getOriginalMessage());
    }
  }

  private Facts readFacts(String id) throws IOException {
    try (InputStream in = input(TreePath.facts(path(id)))) {
      Facts facts = Json.MAPPER.readValue(in, Facts.class);
      if (facts == null || facts.writers == null || facts.writers.containsValue(null)) {
        throw damage(id, path(id), "its facts are not what was written");
      }
      return facts;
    } catch (NoSuchFileException e) {
      return null;
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
}
