package sessiontree.store.local;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.MemoryTree;
import sessiontree.store.Tree;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * The trees of complete sessions, a file each, forced and then published by rename: a tree that has
 * its name is whole and durable. The name is durable once {@link #syncFolders} has returned. Safe
 * for several threads, but only one at a time for each session.
 *
 * <p>If the session has named writers or its tree is large, a second file beside the tree holds the
 * writers' last numbers, and the number of entries, which need not be counted then.
 */
final class TreeFiles {
  private static final Logger LOG = LoggerFactory.getLogger(TreeFiles.class);

  /** Writes a tree. */
  interface Content {
    void write(OutputStream out) throws IOException;
  }

  private final Disk disk;
  private final Path directory;
  private final Path temporary;
  private final TreeReader reader;

  /** Folders with names added or removed since they were last synced. */
  private final Set<Path> changed = ConcurrentHashMap.newKeySet();

  private final AtomicLong temporaries = new AtomicLong();

  private TreeFiles(Disk disk, Path directory, Path temporary, TreeReader reader) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.reader = reader;
  }

  /**
   * Opens the trees of a directory, and deletes the temporary files that the last process left.
   *
   * @param cachedBytes memory for small trees that were read
   */
  static TreeFiles open(Disk disk, Path directory, Path temporary, long cachedBytes)
      throws IOException {
    disk.createDirectories(directory);
    disk.createDirectories(temporary);
    for (Path file : disk.list(temporary)) {
      disk.delete(file);
    }
    TreeReader reader = new TreeReader(disk, directory, new TreeCache(cachedBytes));
    return new TreeFiles(disk, directory, temporary, reader);
  }

  TreeReader reader() {
    return reader;
  }

  /** Returns the relative paths of a folder's trees, in order. Skips other files. */
  List<String> list(int folder) throws IOException {
    String prefix = TreePath.folder(folder);
    List<String> paths = new ArrayList<>();
    for (Path file : disk.list(directory.resolve(prefix))) {
      String path = prefix + file.getFileName();
      if (path.endsWith(TreePath.SUFFIX) && TreePath.id(path) != null) { // skips stray files
        paths.add(path);
      }
    }
    return paths;
  }

  private Path path(String id) {
    return directory.resolve(TreePath.of(id));
  }

  /**
   * Writes the session's tree and its facts, forces both, and renames them into place. If a step
   * fails, both files are discarded: a second force might succeed without making them durable.
   *
   * @param completed when the session was completed, in microseconds since the UNIX epoch
   */
  void publish(String id, long completed, TreeFacts facts, Content content) throws IOException {
    Path path = path(id);
    Path tree = nextTemporary();
    Path factsFile = nextTemporary();
    try {
      boolean hasFacts = facts.areWritten(write(tree, content, completed));
      if (hasFacts) {
        write(factsFile, out -> out.write(facts.bytes()), completed);
      }
      try {
        if (hasFacts) {
          place(factsFile, TreePath.facts(path));
        }
        place(tree, path);
      } finally { // after the renames: a sync before them would clear the mark
        changed.add(path.getParent());
      }
    } catch (IOException | RuntimeException e) {
      delete(tree, e);
      delete(factsFile, e);
      throw e;
    }
  }

  /** Renames a file into place. Creates its folder if it is new or was removed. */
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
   * Returns whether the tree of a session that recovery knows to have ended exists, with its facts.
   * Then it is whole; its name is durable once the folders are synced. If it is another session's
   * with the same id, a tombstone replayed later removes it, and it is written again.
   */
  boolean isPublished(String id, TreeFacts facts) throws IOException {
    Path path = path(id);
    try (Disk.DiskFile tree = disk.open(path)) {
      if (facts.areWritten(tree.size()) && !facts.equals(TreeFacts.read(disk, path))) {
        return false; // loss of power may leave only one of the two names
      }
      markForSync(path);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    } catch (JsonProcessingException | DamageException e) {
      LOG.warn("session={} facts file is damaged; the tree is written again", id);
      return false;
    }
  }

  /** Marks a tree's folders to be synced: the last process may have ended just after its rename. */
  private void markForSync(Path tree) {
    changed.add(tree.getParent());
    changed.add(directory);
  }

  /** Removes a tree and its facts; durable once the folders are synced. */
  void delete(String id) throws IOException {
    Path path = path(id);
    try {
      disk.delete(path);
      disk.delete(TreePath.facts(path));
    } finally {
      changed.add(path.getParent());
      reader.forget(id);
    }
  }

  /** Makes new and removed names of all trees durable. Called by one thread at a time. */
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
    disk.sync(directory); // for the folder's own name
  }

  private Path nextTemporary() {
    return temporary.resolve(Long.toString(temporaries.incrementAndGet()));
  }

  /** Writes a file, sets its modification time and forces it. Returns its length. */
  private long write(Path file, Content content, long modified) throws IOException {
    try (DiskStreams.Output out = new DiskStreams.Output(disk.createTemporary(file))) {
      content.write(out);
      disk.setModified(file, modified); // first: some file systems force it along with the length
      out.force();
      return out.position();
    }
  }

  /**
   * Writes a tree that lives only until it is closed: in memory if it is small, otherwise in a file
   * without a name, which is not forced.
   */
  Tree writeUnnamed(Content content, boolean small) throws IOException {
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
      return new TreeReader.OpenTree(file, out.position(), "");
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private void delete(Path file, Exception cause) {
    try {
      disk.delete(file);
    } catch (IOException e) { // the next start deletes it
      cause.addSuppressed(e);
    }
  }

  /** Returns whether the tree exists. Its name is durable once the folders are synced. */
  boolean exists(String id) throws IOException {
    try {
      disk.open(path(id)).close();
      markForSync(path(id));
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }
}
