package sessiontree.sort;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.event.Child;
import sessiontree.event.Children;

final class SessionBufferTest {
  private static final long GREATEST = 9_223_372_035_999_999_999L;

  @Test
  void sorted_ofNothing_isEmpty() throws Exception {
    SessionBuffer buffer = new SessionBuffer();
    buffer.add(new byte[0], 0);

    assertThat(ListCursor.drain(buffer.sorted())).isEmpty();
    assertThat(buffer.count()).isZero();
    assertThat(buffer.bytes()).isZero();
    assertThat(buffer.allocated()).isZero();
  }

  /** Batch sizes in bytes, around the limits at which arrays are kept and at which chunks fill. */
  @ParameterizedTest
  @ValueSource(
      ints = {13, 100, 4_000, 4_095, 4_096, 4_097, 10_000, 65_535, 65_536, 65_537, 200_000})
  void sorted_ofBatchesOfOneSize_isTheStableSortOfAll(int batchBytes) throws Exception {
    for (var keys :
        List.<LongUnaryOperator>of(
            i -> i, // in order
            i -> GREATEST - i,
            i -> GREATEST,
            i -> i % 2 == 0 ? GREATEST : 0,
            i -> i * 7919 % 101)) {
      List<List<Child>> batches = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        int texts = batchBytes - Children.HEADER_BYTES;
        int first = texts < 60 ? texts : texts / 3; // two children, or one if the batch is small
        List<Child> batch = new ArrayList<>(List.of(child(keys.applyAsLong(2 * i), first)));
        if (first < texts) {
          int second = texts - first - Children.HEADER_BYTES;
          batch.add(child(keys.applyAsLong(2 * i + 1), second));
        }
        batches.add(batch);
      }
      assertStableSort(batches, "batches of " + batchBytes);
    }
  }

  @Test
  void sorted_ofRandomBatches_isTheStableSortOfAll() throws Exception {
    for (int seed = 0; seed < 150; seed++) {
      Random random = new Random(seed);
      int textBytes = new int[] {20, 200, 5_000, 70_000}[random.nextInt(4)];
      long range = new long[] {1, 5, 1_000_000, GREATEST + 1}[random.nextInt(4)];
      boolean ordered = random.nextInt(4) == 0;
      long key = 0;
      List<List<Child>> batches = new ArrayList<>();
      for (int i = random.nextInt(60); i > 0; i--) {
        List<Child> batch = new ArrayList<>();
        for (int j = random.nextInt(8); j > 0; j--) {
          key = ordered ? key + random.nextInt(3) : random.nextLong(range);
          batch.add(child(key, 1 + random.nextInt(1 + random.nextInt(textBytes))));
        }
        batches.add(batch);
      }
      assertStableSort(batches, "seed " + seed);
    }
  }

  @Test
  void add_behindALargeBatch_leavesItsArrayAsItWas() {
    SessionBuffer buffer = new SessionBuffer();
    byte[] large = Child.bytes(List.of(child(1, 5_000)));
    byte[] before = large.clone();
    buffer.add(large, 1);
    for (int i = 0; i < 1_000; i++) {
      buffer.add(Child.bytes(List.of(child(i, 50))), 1);
    }
    assertThat(large).isEqualTo(before);
  }

  private static void assertStableSort(List<List<Child>> batches, String what) throws Exception {
    SessionBuffer buffer = new SessionBuffer();
    List<Child> expected = new ArrayList<>();
    long bytes = 0;
    for (List<Child> batch : batches) {
      byte[] children = Child.bytes(batch);
      buffer.add(children, batch.size());
      expected.addAll(batch);
      bytes += children.length;
      assertThat(buffer.allocated()).as(what).isBetween(bytes, 2 * bytes);
    }
    expected.sort(Comparator.comparingLong(Child::key));

    assertThat(buffer.count()).as(what).isEqualTo(expected.size());
    assertThat(buffer.bytes()).as(what).isEqualTo(bytes);
    for (int pass = 0; pass < 2; pass++) { // sorting leaves the buffer as it is
      List<Child> sorted = ListCursor.drain(buffer.sorted());
      // Texts may be long, so a failure shows only the keys, or the index of the text.
      assertThat(sorted)
          .as(what)
          .extracting(Child::key)
          .isEqualTo(expected.stream().map(Child::key).toList());
      for (int i = 0; i < sorted.size(); i++) {
        assertThat(sorted.get(i).text().equals(expected.get(i).text()))
            .as("%s: child %d", what, i)
            .isTrue();
      }
    }
  }

  private static int serial;

  /** Returns a child whose text is unique, as far as the length allows. */
  private static Child child(long key, int length) {
    String text = Integer.toString(serial++ % 1_000_000_000, 36);
    return new Child(
        key,
        text.substring(Math.max(0, text.length() - length))
            + ".".repeat(Math.max(0, length - text.length())));
  }
}
