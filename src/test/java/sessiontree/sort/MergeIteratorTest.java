package sessiontree.sort;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import sessiontree.event.Child;

final class MergeIteratorTest {
  private static final long GREATEST = 9_223_372_035_999_999_999L;

  @Test
  void of_anyNumberOfCursors_isTheStableSortOfAllInOrderOfAge() throws Exception {
    for (int cursors = 0; cursors <= 70; cursors++) {
      for (int seed = 0; seed < 20; seed++) {
        List<List<Child>> runs = runs(cursors, new Random(seed));
        List<Child> expected = new ArrayList<>(runs.stream().flatMap(List::stream).toList());
        expected.sort(Comparator.comparingLong(Child::key));

        assertThat(merged(runs)).as("%d cursors, seed %d", cursors, seed).isEqualTo(expected);
      }
    }
  }

  @Test
  void of_cursorsThatDoNotOverlap_isOneAfterTheOther() throws Exception {
    List<Child> early = List.of(new Child(0, "a"), new Child(1, "b"));
    List<Child> late = List.of(new Child(2, "c"), new Child(GREATEST, "d"));

    assertThat(merged(List.of(late, early)))
        .extracting(Child::text)
        .containsExactly("a", "b", "c", "d");
  }

  @Test
  void of_equalKeys_keepsTheOlderCursorsFirst() throws Exception {
    List<List<Child>> runs = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    for (int age = 0; age < 17; age++) {
      runs.add(List.of(new Child(7, age + "a"), new Child(7, age + "b")));
      expected.addAll(List.of(age + "a", age + "b"));
    }

    assertThat(merged(runs)).extracting(Child::text).isEqualTo(expected);
  }

  @Test
  void of_emptyCursors_isEmpty() throws Exception {
    for (int cursors = 0; cursors <= 5; cursors++) {
      List<List<Child>> runs = new ArrayList<>();
      for (int i = 0; i < cursors; i++) {
        runs.add(List.of());
      }
      assertThat(merged(runs)).as("%d cursors", cursors).isEmpty();
    }
  }

  private static List<List<Child>> runs(int cursors, Random random) {
    long range = new long[] {1, 4, 1_000, GREATEST + 1}[random.nextInt(4)];
    List<List<Child>> runs = new ArrayList<>();
    for (int age = 0; age < cursors; age++) {
      List<Child> run = new ArrayList<>();
      for (int i = random.nextInt(4) == 0 ? 0 : random.nextInt(30); i > 0; i--) {
        run.add(new Child(random.nextLong(range), age + "/" + i));
      }
      run.sort(Comparator.comparingLong(Child::key));
      runs.add(run);
    }
    return runs;
  }

  private static List<Child> merged(List<List<Child>> runs) throws Exception {
    return ListCursor.drain(MergeIterator.of(runs.stream().map(ListCursor::new).toList()));
  }
}
