package sessiontree.sort;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Map;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class StableSortTest {
  private static final long GREATEST = 9_223_372_035_999_999_999L;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 47, 48, 49, 50, 255, 257, 2_000, 8_191, 8_192, 8_193, 50_000})
  void sort_ofKeysOfAnyKind_isWhatAStableSortGives(int size) {
    for (int seed = 0; seed < 5; seed++) {
      Random random = new Random(seed);
      Map<String, LongUnaryOperator> kinds =
          Map.of(
              "in order", i -> i * 1_000_003,
              "reversed", i -> GREATEST - i * 1_000_003,
              "all equal", i -> GREATEST,
              "few", i -> random.nextInt(3),
              "0 or the greatest", i -> random.nextBoolean() ? 0 : GREATEST,
              "close together", i -> 1_569_972_083_000_000_000L + random.nextInt(300),
              "of one day", i -> 1_569_972_083_000_000_000L + random.nextLong(86_400_000_000_000L),
              "whole seconds", i -> (1_569_972_083L + random.nextInt(86_400)) * 1_000_000_000L,
              "of any size", i -> random.nextLong(GREATEST) >>> random.nextInt(63),
              "one late", i -> i == size - 1 ? 5 : 10 + i);
      for (var kind : kinds.entrySet()) {
        long[] keys = LongStream.range(0, size).map(kind.getValue()).toArray();
        assertSorted(keys, "%s, seed %d".formatted(kind.getKey(), seed));
      }
    }
  }

  private static void assertSorted(long[] keys, String what) {
    int[] expected =
        IntStream.range(0, keys.length)
            .boxed()
            .sorted(Comparator.comparingLong(i -> keys[i]))
            .mapToInt(i -> i)
            .toArray();
    long[] sorted = keys.clone();
    long[] places = LongStream.range(0, keys.length).map(i -> ~i).toArray();

    StableSort.sort(sorted, places);

    assertThat(LongStream.of(places).mapToInt(place -> (int) ~place).toArray())
        .as(what)
        .isEqualTo(expected);
    assertThat(sorted).as(what).isEqualTo(IntStream.of(expected).mapToLong(i -> keys[i]).toArray());
  }
}
