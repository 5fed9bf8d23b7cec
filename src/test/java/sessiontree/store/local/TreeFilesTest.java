package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Trees on a disk that fails. */
class TreeFilesTest {
  private static final TreeFiles.Facts FACTS = new TreeFiles.Facts(3, Map.of("w", 1L, "v", 2L));
  private static final TreeFiles.Content TREE =
      out -> out.write("{\"children\":[{}]}".getBytes(StandardCharsets.US_ASCII));

  private final FaultyDisk disk = FaultyDisk.create(new Random(1));

  private TreeFiles open(FaultyDisk on) throws Exception {
    return TreeFiles.open(on, Path.of("sessions"), Path.of("tmp"));
  }

  @Test
  void treeOfWhichAForceFailed_keepsItsTime_andSurvivesLossOfPower() throws Exception {
    TreeFiles trees = open(disk);
    List<TreeFiles.Unforced> unforced = trees.publish("a", 1234, FACTS, TREE);
    disk.failAt(1, 1); // the first is of its facts
    assertThatIOException().isThrownBy(() -> trees.force(unforced));
    trees.force(unforced);
    assertThat(trees.completed("a")).isEqualTo(1234);
    TreeFiles after = open(disk.losePower());
    assertThat(after.completed("a")).isEqualTo(1234);
    assertThat(after.state("a").writers()).isEqualTo(FACTS.writers());
  }
}
