package sessiontree.store.local;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import sessiontree.store.MemoryTree;

/**
 * Small trees that were read, in memory, so that they can be read again without waiting for the
 * disk; the least recently read go. A tree in place is never another until it is removed. Safe for
 * several threads.
 */
final class TreeCache {
  /** What a client that is sent such a tree may keep in memory: no more than a part of others. */
  static final int MAX_TREE_BYTES = 16 << 10;

  /** Of larger trees, so many tags are kept: to hash a tree takes longer than to send it. */
  private static final int MAX_TAGS = 10_000;

  /** What one takes besides its bytes. */
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

  /** The tree, or null. */
  synchronized MemoryTree get(String id) {
    return trees.get(id);
  }

  /** The tag of a tree that is too large to be kept, or null. */
  synchronized String tag(String id) {
    return tags.get(id);
  }

  /** Puts the tag of a tree that was read, unless the tree may have been removed since. */
  synchronized void putTag(String id, String tag, long removals) {
    if (removals == this.removals) {
      tags.put(id, tag);
    }
  }

  /** How many trees were removed so far. To be asked before a tree is read that is to be put. */
  synchronized long removals() {
    return removals;
  }

  /** Puts a tree that was read, unless it may have been removed since. */
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

  /** The tree is not there any more. */
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
