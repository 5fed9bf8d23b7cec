package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import sessiontree.store.MemoryTree;

class TreeCacheTest {
  private static final int TREE_BYTES = 1_000;

  private static MemoryTree tree() {
    return new MemoryTree(new byte[TREE_BYTES], "t");
  }

  @Test
  void put_ofMoreThanThereIsRoomFor_letsTheLeastRecentlyReadGo() {
    TreeCache cache = new TreeCache(4 * TREE_BYTES); // three trees with their overhead
    for (String id : new String[] {"a", "b", "c"}) {
      cache.put(id, tree(), 0);
    }
    assertThat(cache.get("a")).isNotNull();
    cache.put("d", tree(), 0);
    assertThat(cache.get("b")).isNull();
    for (String id : new String[] {"a", "c", "d"}) {
      assertThat(cache.get(id)).as(id).isNotNull();
    }
  }

  @Test
  void put_ofOneThatTakesAllThereIs_isPassedOver_andNoOtherGoes() {
    TreeCache cache = new TreeCache(2 * TREE_BYTES);
    cache.put("a", tree(), 0);
    cache.put("b", new MemoryTree(new byte[2 * TREE_BYTES], "t"), 0);
    assertThat(cache.get("b")).isNull();
    assertThat(cache.get("a")).isNotNull();
  }

  /** The tree may have been read before it was removed, and the id may have another one by now. */
  @Test
  void put_ofATreeThatWasReadBeforeARemoval_isPassedOver() {
    TreeCache cache = new TreeCache(1 << 20);
    long before = cache.removals();
    cache.remove("a");
    cache.put("a", tree(), before);
    assertThat(cache.get("a")).isNull();
    cache.put("a", tree(), cache.removals());
    assertThat(cache.get("a")).isNotNull();
  }

  @Test
  void putTag_ofATreeThatWasReadBeforeARemoval_isPassedOver_andARemovalForgetsIt() {
    TreeCache cache = new TreeCache(0);
    long before = cache.removals();
    cache.remove("a");
    cache.putTag("a", "old", before);
    assertThat(cache.tag("a")).isNull();
    cache.putTag("a", "new", cache.removals());
    assertThat(cache.tag("a")).isEqualTo("new");
    cache.remove("a");
    assertThat(cache.tag("a")).isNull();
  }

  @Test
  void removedTrees_makeRoom() {
    TreeCache cache = new TreeCache(2 * TREE_BYTES);
    for (int i = 0; i < 10; i++) {
      cache.put("a", tree(), cache.removals());
      cache.put("a", tree(), cache.removals()); // as two threads that read it at once do
      assertThat(cache.get("a")).as("%d", i).isNotNull();
      cache.remove("a");
    }
    assertThat(cache.get("a")).isNull();
  }
}
