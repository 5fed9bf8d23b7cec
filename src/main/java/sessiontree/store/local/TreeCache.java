package sessiontree.store.local;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import sessiontree.store.MemoryTree;

/**
 * An LRU cache of small trees that were read, so that reading them again does not wait for the
 * disk. A published tree does not change until it is removed. Safe for several threads.
 */
final class TreeCache {
  /** Largest cached tree: a slow client holds no more memory than with a part of a larger tree. */
  static final int MAX_TREE_BYTES = 16 << 10;

  /** Number of tags kept of larger trees, as hashing a tree takes longer than sending it. */
  private static final int MAX_TAGS = 10_000;

  /** Memory that a cached tree takes besides its bytes. */
  private static final int OVERHEAD_BYTES = 256;

  private final long maxBytes;

  // All guarded by this.
  private final Map<String, MemoryTree> trees = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<String, String> tags =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, String> eldest) {
          return size() > MAX_TAGS;
        }
      };
  private long bytes;
  private long removals;

  TreeCache(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  /** Returns the tree, or null. */
  synchronized MemoryTree get(String id) {
    return trees.get(id);
  }

  /** Returns the tag of a tree that is too large to be cached, or null. */
  synchronized String tag(String id) {
    return tags.get(id);
  }

  /** Caches the tag of a tree that was read, unless the tree may have been removed since. */
  synchronized void putTag(String id, String tag, long removals) {
    if (removals == this.removals) {
      tags.put(id, tag);
    }
  }

  /** Returns how many trees were removed so far. Call it before reading a tree to cache. */
  synchronized long removals() {
    return removals;
  }

  /** Caches a tree that was read, unless it may have been removed since. */
  synchronized void put(String id, MemoryTree tree, long removals) {
    if (removals != this.removals || size(tree) > maxBytes || trees.containsKey(id)) {
      return;
    }
    trees.put(id, tree);
    bytes += size(tree);
    for (Iterator<MemoryTree> eldest = trees.values().iterator(); bytes > maxBytes; ) {
      bytes -= size(eldest.next());
      eldest.remove();
    }
  }

  /** Removes a tree that was deleted. */
  synchronized void remove(String id) {
    removals++;
    tags.remove(id);
    MemoryTree tree = trees.remove(id);
    bytes -= tree == null ? 0 : size(tree);
  }

  private static long size(MemoryTree tree) {
    return tree.bytes() + OVERHEAD_BYTES;
  }
}
