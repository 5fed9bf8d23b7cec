package sessiontree.store.local;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes trees durable, once each: a second force would not tell what the first had failed to write.
 * What a force may have failed for is written anew instead. Safe for several threads.
 */
final class TreeForcer {
  private static final Logger LOG = LoggerFactory.getLogger(TreeForcer.class);
  static final String MARK = "forcing";
  private static final int FORCERS = 4;

  private final Disk disk;
  private final Path directory;
  private final Path temporary;

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

  /**
   * A forcer of a directory's trees.
   *
   * @param doubtful whether the mark was found
   */
  TreeForcer(Disk disk, Path directory, Path temporary, boolean doubtful) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
    this.mark = temporary.resolve(MARK);
    this.doubtful = doubtful;
    Arrays.setAll(locks, i -> new Object());
    forcers.allowCoreThreadTimeOut(true);
  }

  /** What nobody may do to a tree while it is forced is done under its session's lock. */
  Object lock(String id) {
    return locks[id.hashCode() & locks.length - 1];
  }

  /** Recovery needs a tree that may be there already. */
  void found(String id) {
    if (doubtful) {
      suspect.add(id);
    }
  }

  /** What was there of a tree is not any more. */
  void replaced(String id) {
    suspect.remove(id);
  }

  /** Makes trees durable. Those that are not there any more are passed over. */
  void force(List<TreeFiles.Unforced> trees) throws IOException {
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

  /** Recovery is done: no tree that it did not find is in doubt. */
  void restored() {
    doubtful = false;
  }

  private void forceFiles(List<TreeFiles.Unforced> trees, Set<Path> folders) throws IOException {
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
              Stream.generate(() -> CompletableFuture.runAsync(LocalStore.vital(part), forcers))
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
  private void force(TreeFiles.Unforced tree, Set<Path> folders) throws IOException {
    Path path = directory.resolve(TreePath.of(tree.id()));
    synchronized (lock(tree.id())) {
      try {
        if (suspect.contains(tree.id())) {
          copy(tree, path);
        } else {
          if (tree.hasFacts()) {
            forceOnce(tree.id(), TreePath.facts(path));
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
  private void copy(TreeFiles.Unforced tree, Path path) throws IOException {
    if (tree.hasFacts()) {
      copy(TreePath.facts(path), tree.factsCrc());
    }
    copy(path, tree.crc());
    suspect.remove(tree.id());
  }

  private void copy(Path path, int crc) throws IOException {
    Path copy = temporary.resolve(path.getFileName() + ".copy");
    try (Disk.DiskFile from = disk.open(path);
        Disk.DiskFile to = disk.create(copy);
        DiskStreams.Input in = new DiskStreams.Input(from, from.size());
        DiskStreams.Output out = new DiskStreams.Output(to)) {
      in.transferTo(out);
      if (out.crc() != crc) {
        throw new DamageException(
            path, String.format("checksum mismatch: expected %08x, got %08x", crc, out.crc()));
      }
      disk.setModified(copy, disk.modified(path));
      to.force();
      disk.rename(copy, path);
    } catch (IOException e) {
      try {
        disk.delete(copy);
      } catch (IOException failure) { // the next start does
        e.addSuppressed(failure);
      }
      throw e;
    }
  }
}
