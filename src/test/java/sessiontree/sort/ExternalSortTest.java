package sessiontree.sort;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.event.Children;

class ExternalSortTest {
  @TempDir private Path folder;

  private record Child(long key, String text) {}

  static LongStream seeds() {
    return new Random().longs(10);
  }

  /** Uses so little memory that there can be over a thousand runs, and merges of merged runs. */
  @ParameterizedTest
  @MethodSource("seeds")
  void children_comeInOrder_equalOnesAsAdded_andNoFileIsLeft(long seed) throws IOException {
    Random random = new Random(seed);
    List<Child> added = new ArrayList<>();
    List<String> sorted = new ArrayList<>();
    try (ExternalSort sort = new ExternalSort(folder, random.nextInt(2_000))) {
      for (int batch = random.nextInt(1_500); batch > 0; batch--) {
        List<Child> children = new ArrayList<>();
        for (int i = 1 + random.nextInt(5); i > 0; i--) {
          String text = added.size() + children.size() + "x".repeat(random.nextInt(100));
          children.add(new Child(random.nextInt(50), text));
        }
        sort.add(bytes(children), children.size());
        added.addAll(children);
      }
      assertThat(sort.count()).isEqualTo(added.size());
      for (Cursor child = sort.sorted(); child.next(); ) {
        byte[] array = child.array();
        String text = new String(array, child.offset(), child.length(), StandardCharsets.UTF_8);
        sorted.add(child.key() + text);
      }
    }
    List<String> expected =
        added.stream()
            .sorted(Comparator.comparingLong(Child::key))
            .map(child -> child.key + child.text)
            .toList();
    assertThat(sorted).as("seed %d", seed).isEqualTo(expected);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).as("seed %d", seed).isEmpty();
    }
  }

  private static byte[] bytes(List<Child> children) {
    byte[] bytes =
        new byte
            [children.stream()
                .mapToInt(child -> child.text.length() + Children.HEADER_BYTES)
                .sum()];
    int at = 0;
    for (Child child : children) {
      Children.putHeader(bytes, at, child.key, child.text.length());
      at += Children.HEADER_BYTES;
      System.arraycopy(
          child.text.getBytes(StandardCharsets.UTF_8), 0, bytes, at, child.text.length());
      at += child.text.length();
    }
    return bytes;
  }
}
