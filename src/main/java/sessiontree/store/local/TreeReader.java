package sessiontree.store.local;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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

/** Reads the trees that {@link TreeFiles} publishes. Safe for several threads. */
final class TreeReader {
  private static final Logger LOG = LoggerFactory.getLogger(TreeReader.class);

  /** Bytes of a tree's hash that are enough to tell trees apart. */
  private static final int HASH_BYTES = 12;

  /** The beginning of a tree. A timestamp has at most a thousand characters. */
  private static final Pattern HEAD =
      Pattern.compile("\\{\"type\":\"SESSION\",\"start\":([^,]+),\"end\":([^,]+),");

  private static final int MAX_HEAD_BYTES = 2_100;

  private final Disk disk;
  private final Path directory;
  private final TreeCache cache;

  /** Sessions whose trees are damaged, and whose damage was logged. */
  private final Set<String> damaged = ConcurrentHashMap.newKeySet();

  TreeReader(Disk disk, Path directory, TreeCache cache) {
    this.disk = disk;
    this.directory = directory;
    this.cache = cache;
  }

  private Path path(String id) {
    return directory.resolve(TreePath.of(id));
  }

  /** Forgets a tree that was deleted. */
  void forget(String id) {
    cache.remove(id);
    damaged.remove(id);
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
        tree.close(); // the tree may have been replaced before its tag was read
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
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

  /** A tree in an open file. */
  record OpenTree(Disk.DiskFile file, long bytes, String tag) implements Tree {
    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      return file.read(target, position);
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  private MemoryTree readWhole(String id, Path path, OpenTree tree) throws IOException {
    ByteBuffer json = ByteBuffer.allocate((int) tree.bytes);
    tree.read(json, 0);
    if (json.hasRemaining()) {
      throw damage(id, path, "the file ends before offset " + tree.bytes);
    }
    return new MemoryTree(json.array(), tag(path, json.array()));
  }

  // --- Tags.

  private Tree tagged(String id, Path path, OpenTree tree, long removals) throws IOException {
    try {
      String tag = cache.tag(id);
      if (tag == null) {
        boolean hashed = tree.bytes <= TreeFacts.COUNTED_BYTES;
        tag = hashed ? readWhole(id, path, tree).tag() : tag(path, tree.bytes);
        cache.putTag(id, tag, removals);
      }
      return new OpenTree(tree.file, tree.bytes, tag);
    } catch (IOException e) {
      tree.close();
      throw e;
    }
  }

  /** Returns the tag of a tree, whether it is damaged or not; null if there is no tree. */
  String tag(String id) throws IOException {
    Path path = path(id);
    try (Disk.DiskFile file = disk.open(path)) {
      long bytes = file.size();
      if (bytes > TreeFacts.COUNTED_BYTES) {
        return tag(path, bytes);
      }
      ByteBuffer json = ByteBuffer.allocate((int) bytes);
      file.read(json, 0);
      return tag(path, json.array());
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** Returns the tag of a small tree: hashes of different trees differ, whatever the clock does. */
  private String tag(Path path, byte[] json) throws IOException {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(json);
      return HexFormat.of().formatHex(hash, 0, HASH_BYTES) + modifiedSuffix(path);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has it", e);
    }
  }

  /**
   * Returns the tag of a large tree: the LSN of the record that ended the session, from its facts,
   * which has fewer digits than a hash. Facts of an earlier version have no LSN; the tree's size is
   * used then.
   */
  private String tag(Path path, long bytes) throws IOException {
    long lsn = TreeFacts.lsn(disk, path);
    String tag = lsn == 0 ? "0-" + Long.toHexString(bytes) : Long.toHexString(lsn);
    return tag + modifiedSuffix(path);
  }

  /** Returns a suffix that tells trees with the same bytes apart, if the clock was not set back. */
  private String modifiedSuffix(Path path) throws IOException {
    return "-" + Long.toHexString(disk.modified(path));
  }

  // --- Contents.

  /** Returns a complete session as a page lists it; null if there is none, or it cannot be read. */
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
    } catch (NoSuchFileException | DamageException e) { // the other sessions can be listed
      return null;
    } catch (IOException e) {
      LOG.warn("session={} cannot be listed: {}", id, e.toString());
      return null;
    }
  }

  /** Returns when a session completed, in microseconds since the UNIX epoch; -1 if it has not. */
  long completed(String id) throws IOException {
    try {
      return disk.modified(path(id));
    } catch (NoSuchFileException e) {
      return -1;
    }
  }

  /**
   * Returns when a complete session was begun, in microseconds since the UNIX epoch: the start in
   * its tree, which is from the client's clock, but no later than its completion and {@code now}.
   */
  long began(String id, long now) throws IOException {
    Listing.Listed tree = listed(id, null);
    long latest = Math.min(now, completed(id));
    return tree == null
        ? latest
        : Math.min(latest, (long) (Double.parseDouble(tree.start()) * 1_000_000));
  }

  /** Returns a complete session's facts, from their file or its tree; null if not complete. */
  TreeFacts facts(String id) throws IOException {
    Path path = path(id);
    try (OpenTree tree = open(id, path)) {
      TreeFacts facts = TreeFacts.read(disk, path);
      return facts != null ? facts : TreeFacts.count(new DiskStreams.Input(tree.file, tree.bytes));
    } catch (NoSuchFileException e) {
      return null;
    } catch (JsonProcessingException e) {
      throw damage(
          id, path, "the tree or its facts file is not valid JSON: " + e.getOriginalMessage());
    } catch (DamageException e) {
      throw damage(id, e);
    }
  }

  // --- Damage.

  /** Returns the sessions whose trees were found damaged. */
  Set<String> damaged() {
    return damaged;
  }

  private DamageException damage(String id, Path file, String what) {
    return damage(id, new DamageException(file, what));
  }

  /** Logs the damage, once a session. */
  private DamageException damage(String id, DamageException damage) {
    if (damaged.add(id)) {
      LOG.error("session={} is damaged, and can only be deleted: {}", id, damage.toString());
    }
    return damage;
  }
}
