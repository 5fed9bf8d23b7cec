package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import sessiontree.store.RunningClock;

/** Who may read, and who comes next, when streams hold as much as they may. */
class InflowTest {
  private static final boolean AMIDST = true;
  private static final boolean BETWEEN = false;

  private final Inflow inflow = new Inflow(100, new RunningClock(System::nanoTime));
  private final List<String> admitted = new ArrayList<>();
  private final List<String> dropped = new ArrayList<>();

  private final class Named implements Inflow.Reader {
    private final String name;
    private final boolean willing;

    Named(String name, boolean willing) {
      this.name = name;
      this.willing = willing;
    }

    @Override
    public boolean admit() {
      if (willing) {
        admitted.add(name);
      }
      return willing;
    }

    @Override
    public void drop(String reason) {
      dropped.add(name);
    }
  }

  private final Inflow.Reader a = new Named("a", true);
  private final Inflow.Reader b = new Named("b", true);
  private final Inflow.Reader c = new Named("c", true);
  private final Inflow.Reader gone = new Named("gone", false);

  @Test
  void belowTheBound_allRead() {
    inflow.add(99);
    assertThat(inflow.mayRead(a, BETWEEN)).isTrue();
    assertThat(inflow.mayRead(b, AMIDST)).isTrue();
  }

  @Test
  void whoWaits_isAdmittedInTurn_oneAfterAnother() {
    inflow.add(100);
    assertThat(inflow.mayRead(a, BETWEEN)).isFalse();
    assertThat(inflow.mayRead(b, BETWEEN)).isFalse();
    inflow.subtract(50);
    assertThat(admitted).containsExactly("a");
    assertThat(inflow.mayRead(c, BETWEEN)).as("it does not overtake").isFalse();
    inflow.admitNext();
    inflow.admitNext();
    assertThat(admitted).containsExactly("a", "b", "c");
    assertThat(inflow.mayRead(a, BETWEEN)).isTrue();
  }

  @Test
  void aTurn_thatLeavesNoRoom_endsTheRound() {
    inflow.add(100);
    inflow.mayRead(a, BETWEEN);
    inflow.mayRead(b, BETWEEN);
    inflow.subtract(1);
    inflow.add(1); // what a has read
    inflow.admitNext();
    assertThat(admitted).containsExactly("a");
    inflow.subtract(1);
    assertThat(admitted).containsExactly("a", "b");
  }

  @Test
  void atTheBound_oneAmidstAMessageReads_andThenTheNextOfThem() {
    inflow.add(100);
    assertThat(inflow.mayRead(a, BETWEEN)).isFalse();
    assertThat(inflow.mayRead(b, AMIDST)).isTrue();
    assertThat(inflow.mayRead(c, AMIDST)).isFalse();
    assertThat(inflow.mayRead(b, AMIDST)).as("until its message is whole").isTrue();
    inflow.settled(b);
    assertThat(admitted).containsExactly("c");
    assertThat(inflow.mayRead(b, AMIDST)).as("its next one waits").isFalse();
  }

  @Test
  void whoDoesNotTakeItsTurn_holdsUpNobody() {
    inflow.add(100);
    inflow.mayRead(a, AMIDST);
    inflow.mayRead(gone, AMIDST);
    inflow.mayRead(b, AMIDST);
    inflow.settled(a);
    assertThat(admitted).containsExactly("b");
    inflow.tick(60_000_000_000L);
    assertThat(dropped).containsExactly("b");
  }

  @Test
  void whoIsForgotten_isNotAdmitted() {
    inflow.add(100);
    inflow.mayRead(a, BETWEEN);
    inflow.mayRead(b, BETWEEN);
    inflow.forget(a);
    inflow.subtract(100);
    assertThat(admitted).containsExactly("b");
  }
}
