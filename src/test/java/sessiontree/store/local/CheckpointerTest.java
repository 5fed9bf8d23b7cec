package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.ConcurrentSkipListSet;
import org.junit.jupiter.api.Test;

class CheckpointerTest {
  /** Tombstones whose trees the finisher removes as soon as somebody has looked at the set. */
  private static final class Emptied extends ConcurrentSkipListSet<Long> {
    private static final long serialVersionUID = 1;

    Emptied(List<Long> tombstones) {
      super(tombstones);
    }

    @Override
    public boolean isEmpty() {
      boolean empty = super.isEmpty();
      clear();
      return empty;
    }

    @Override
    public Long ceiling(Long from) {
      Long first = super.ceiling(from);
      clear();
      return first;
    }
  }

  @Test
  void firstTombstone_isFoundByOneLook() {
    assertThat(Checkpointer.smallestOf(new Emptied(List.of()), 9)).isEqualTo(9);
    assertThat(Checkpointer.smallestOf(new Emptied(List.of(5L, 7L)), 9)).isEqualTo(5);
    assertThat(Checkpointer.smallestOf(new Emptied(List.of(12L)), 9)).isEqualTo(9);
  }
}
