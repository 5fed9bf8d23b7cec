package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.Heap;
import sessiontree.TreeText;

/** Trees on a disk that fails. */
class TreeFilesTest {
  private static final TreeFiles.Facts FACTS = new TreeFiles.Facts(3, Map.of("w", 1L, "v", 2L));
  private static final TreeFiles.Content TREE =
      out -> out.write("{\"children\":[{}]}".getBytes(StandardCharsets.US_ASCII));

  private final FaultyDisk disk = FaultyDisk.create(new Random(1));

  private TreeFiles open(FaultyDisk on) throws Exception {
    return TreeFiles.open(on, Path.of("sessions"), Path.of("tmp"), 0);
  }

  @Test
  void treeOfWhichAForceFailed_keepsItsTime_andSurvivesLossOfPower() throws Exception {
    TreeFiles trees = open(disk);
    List<TreeFiles.Unforced> unforced = List.of(trees.publish("a", 1234, FACTS, TREE));
    disk.failAt(2, 1); // after the mark, and its facts
    assertThatIOException().isThrownBy(() -> trees.force(unforced));
    trees.force(unforced);
    assertThat(trees.completed("a")).isEqualTo(1234);
    TreeFiles after = open(disk.losePower());
    assertThat(after.completed("a")).isEqualTo(1234);
    assertThat(after.facts("a").writers()).isEqualTo(FACTS.writers());
  }

  @Test
  void treeThatWasRead_isInMemory_untilItIsDeleted_andItsIdMayHaveAnother() throws Exception {
    TreeFiles trees = TreeFiles.open(disk, Path.of("sessions"), Path.of("tmp"), 1 << 20);
    trees.publish("a", 1234, FACTS, TREE);
    assertThat(trees.cached("a")).isNull();
    String read = TreeText.of(trees.tree("a").orElseThrow());
    assertThat(TreeText.of(trees.cached("a"))).isEqualTo(read);
    trees.delete("a");
    assertThat(trees.cached("a")).isNull();
    assertThat(trees.tree("a")).isEmpty();
    trees.publish("a", 5678, FACTS, out -> out.write("[{}]}".getBytes(StandardCharsets.US_ASCII)));
    assertThat(TreeText.of(trees.tree("a").orElseThrow())).isEqualTo("[{}]}");
    assertThat(TreeText.of(trees.cached("a"))).isEqualTo("[{}]}");
  }

  /** What can be read may not be on the disk, and another force would not tell. */
  @Test
  void treeOfWhichAForceFailed_beforeTheProcessWasKilled_survivesLossOfPower() throws Exception {
    for (int fails = 0; fails < 4; fails++) {
      FaultyDisk disk = FaultyDisk.create(new Random(fails));
      TreeFiles before = open(disk);
      List<TreeFiles.Unforced> unforced = List.of(before.publish("a", 1234, FACTS, TREE));
      disk.failAt(1 + fails, 1); // after the mark: facts, tree, folders
      assertThatIOException().isThrownBy(() -> before.force(unforced));
      disk = disk.kill();
      TreeFiles after = open(disk);
      List<TreeFiles.Unforced> kept = List.of(after.restore("a", 1234, FACTS, TREE));
      after.restored();
      after.force(kept);
      disk = disk.losePower();
      TreeFiles last = open(disk);
      assertThat(TreeText.of(last.tree("a").orElseThrow())).isEqualTo("{\"children\":[{}]}");
      assertThat(last.facts("a").writers()).isEqualTo(FACTS.writers());
      assertThat(last.completed("a")).isEqualTo(1234);
    }
  }

  @Test
  void mark_isThereWhileAForceFailed_andTheTreeWasNotCopied() throws Exception {
    TreeFiles trees = open(disk);
    List<TreeFiles.Unforced> unforced = List.of(trees.publish("a", 1234, FACTS, TREE));
    assertThat(disk.list(Path.of("tmp"))).isEmpty();
    disk.failAt(1, 1);
    assertThatIOException().isThrownBy(() -> trees.force(unforced));
    assertThat(disk.list(Path.of("tmp"))).containsExactly(Path.of("tmp/forcing"));
    trees.force(unforced);
    assertThat(disk.list(Path.of("tmp"))).isEmpty();
  }

  /** 60 MB of names, in trees small enough to be counted by reading them. */
  @Test
  void treeWhoseEntriesAreCounted_leavesNoNamesInMemory(@TempDir Path folder) throws Exception {
    Path sessions = Files.createDirectory(folder.resolve("sessions"));
    TreeFiles trees = TreeFiles.open(Disk.real(), sessions, folder.resolve("tmp"), 0);
    TreeFiles.Facts none = new TreeFiles.Facts(3, Map.of());
    long before = Heap.usedBytes();
    for (int i = 0; i < 500; i++) {
      String tree = "{\"children\":[{\"" + i + "x".repeat(120_000) + "\":1}]}";
      String id = "a" + i;
      trees.publish(id, 1234, none, out -> out.write(tree.getBytes(StandardCharsets.US_ASCII)));
      assertThat(trees.facts(id).entries()).isEqualTo(3);
      trees.delete(id);
    }
    assertThat(Heap.usedBytes() - before).isLessThan(20_000_000);
  }
}
