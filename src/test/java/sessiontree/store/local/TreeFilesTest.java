package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.Heap;
import sessiontree.TreeText;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FaultyDisk;

/** Trees on a disk that fails. */
class TreeFilesTest {
  private static final TreeFacts FACTS = new TreeFacts(9, 3, Map.of("w", 1L, "v", 2L));
  private static final TreeFiles.Content TREE =
      out -> out.write("{\"children\":[{}]}".getBytes(StandardCharsets.US_ASCII));

  private final FaultyDisk disk = FaultyDisk.create(new Random(1));

  private TreeFiles open(FaultyDisk on) throws Exception {
    return TreeFiles.open(on, Path.of("sessions"), Path.of("tmp"), 0);
  }

  /**
   * What a failed force left can be read, and a second force would not report it. Each step fails.
   */
  @Test
  void treeOfWhichAForceFailed_hasNoName_andSurvivesLossOfPower_whenItIsMadeAnew()
      throws Exception {
    for (int fails = 0; fails < 10; fails++) {
      FaultyDisk disk = FaultyDisk.create(new Random(fails));
      TreeFiles trees = open(disk);
      disk.failAt(fails, 1);
      assertThatIOException().isThrownBy(() -> trees.publish("a", 1234, FACTS, TREE));
      assertThat(trees.isPublished("a", FACTS)).as("%d", fails).isFalse();
      assertThat(disk.list(Path.of("tmp"))).as("%d", fails).isEmpty();
      trees.publish("a", 1234, FACTS, TREE);
      trees.syncFolders();
      assertIsThere(open(disk.losePower()), "%d".formatted(fails));
    }
  }

  private static void assertIsThere(TreeFiles trees, String as) throws Exception {
    assertThat(TreeText.of(trees.reader().tree("a").orElseThrow()))
        .as(as)
        .isEqualTo("{\"children\":[{}]}");
    assertThat(trees.reader().facts("a").writers()).as(as).isEqualTo(FACTS.writers());
    assertThat(trees.isPublished("a", FACTS)).as(as).isTrue();
    assertThat(trees.reader().completed("a")).as(as).isEqualTo(1234);
  }

  @Test
  void folder_isSyncedAgain_ifThatFailed() throws Exception {
    TreeFiles trees = open(disk);
    trees.publish("a", 1234, FACTS, TREE);
    disk.failAt(0, 1);
    assertThatIOException().isThrownBy(trees::syncFolders);
    trees.syncFolders();
    assertIsThere(open(disk.losePower()), "after loss of power");
  }

  /** Loss of power may leave only one of the two names. */
  @Test
  void treeWithoutItsFacts_isNotTakenForPublished() throws Exception {
    TreeFiles trees = open(disk);
    trees.publish("a", 1234, FACTS, TREE);
    disk.delete(TreePath.facts(Path.of("sessions").resolve(TreePath.of("a"))));
    assertThat(trees.isPublished("a", FACTS)).isFalse();
    assertThat(trees.isPublished("a", new TreeFacts(9, 3, Map.of()))).isTrue();
    trees.publish("a", 1234, new TreeFacts(9, 3, Map.of("w", 2L)), TREE);
    assertThat(trees.isPublished("a", FACTS)).isFalse();
  }

  /** The tree is durable before it is named; its name is durable once the folders are synced. */
  @Test
  void treeThatAKilledProcessNamed_survivesLossOfPower_whenItWasFoundAndTheFoldersAreSynced()
      throws Exception {
    open(disk).publish("a", 1234, FACTS, TREE);
    FaultyDisk killed = disk.kill();
    TreeFiles after = open(killed);
    assertThat(after.isPublished("a", FACTS)).isTrue();
    after.syncFolders();
    assertIsThere(open(killed.losePower()), "after loss of power");
  }

  @Test
  void treeThatWasRead_isInMemory_untilItIsDeleted_andItsIdMayHaveAnother() throws Exception {
    TreeFiles trees = TreeFiles.open(disk, Path.of("sessions"), Path.of("tmp"), 1 << 20);
    trees.publish("a", 1234, FACTS, TREE);
    Path file = Path.of("sessions").resolve(TreePath.of("a"));
    String read = TreeText.of(trees.reader().tree("a").orElseThrow());
    disk.delete(file);
    assertThat(TreeText.of(trees.reader().tree("a").orElseThrow())).isEqualTo(read);
    trees.delete("a");
    assertThat(trees.reader().tree("a")).isEmpty();
    trees.publish("a", 5678, FACTS, out -> out.write("[{}]}".getBytes(StandardCharsets.US_ASCII)));
    assertThat(TreeText.of(trees.reader().tree("a").orElseThrow())).isEqualTo("[{}]}");
    disk.delete(file);
    assertThat(TreeText.of(trees.reader().tree("a").orElseThrow())).isEqualTo("[{}]}");
  }

  /** 60 MB of names, in trees so small that their entries are counted by reading them. */
  @Test
  void treeWhoseEntriesAreCounted_leavesNoNamesInMemory(@TempDir Path folder) throws Exception {
    Path sessions = Files.createDirectory(folder.resolve("sessions"));
    TreeFiles trees = TreeFiles.open(Disk.real(), sessions, folder.resolve("tmp"), 0);
    TreeFacts none = new TreeFacts(0, 3, Map.of());
    long before = Heap.usedBytes();
    for (int i = 0; i < 1_500; i++) {
      String tree = "{\"children\":[{\"" + i + "x".repeat(40_000) + "\":1}]}";
      String id = "a" + i;
      trees.publish(id, 1234, none, out -> out.write(tree.getBytes(StandardCharsets.US_ASCII)));
      assertThat(trees.reader().facts(id).entries()).isEqualTo(3);
      trees.delete(id);
    }
    assertThat(Heap.usedBytes() - before).isLessThan(20_000_000);
  }
}
