package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import sessiontree.metrics.Metrics;
import sessiontree.store.RunningClock;

/** Whose part may be in memory, who comes next, and who is cut off. */
class OutflowTest {
  private static final long MINUTE_NANOS = 60_000_000_000L;

  private final Outflow outflow =
      new Outflow(100, new RunningClock(System::nanoTime), new Metrics());
  private final List<String> admitted = new ArrayList<>();
  private final List<String> dropped = new ArrayList<>();

  private final class Named implements Outflow.Sender {
    private final String name;

    Named(String name) {
      this.name = name;
    }

    @Override
    public void admit() {
      admitted.add(name);
    }

    @Override
    public void drop() {
      dropped.add(name);
    }
  }

  private final Outflow.Sender a = new Named("a");
  private final Outflow.Sender b = new Named("b");
  private final Outflow.Sender c = new Named("c");
  private final Outflow.Sender d = new Named("d");

  @Test
  void upToTheBound_allEnter() {
    assertThat(outflow.enter(a, 50)).isTrue();
    assertThat(outflow.isHalfFull()).isFalse();
    assertThat(outflow.enter(b, 50)).isTrue();
    assertThat(outflow.isHalfFull()).isTrue();
    assertThat(outflow.enter(c, 1)).isFalse();
  }

  @Test
  void whoWaits_isAdmittedInTurn_asFarAsThereIsRoom() {
    outflow.enter(a, 100);
    outflow.enter(b, 60);
    outflow.enter(c, 40);
    outflow.enter(d, 1);
    outflow.leave(a);
    assertThat(admitted).containsExactly("b", "c");
    assertThat(outflow.enter(b, 60)).as("it has its place").isTrue();
    outflow.leave(c);
    assertThat(admitted).containsExactly("b", "c", "d");
  }

  @Test
  void aSmallPart_doesNotOvertakeALargeOne() {
    outflow.enter(a, 60);
    outflow.enter(b, 60);
    assertThat(outflow.enter(c, 10)).isFalse();
    assertThat(outflow.tryEnter(d, 10)).isFalse();
    outflow.leave(a);
    assertThat(admitted).containsExactly("b", "c");
  }

  @Test
  void aPartBeyondTheBound_comesAlone() {
    assertThat(outflow.enter(a, 1000)).isTrue();
    assertThat(outflow.enter(b, 1)).isFalse();
    outflow.leave(a);
    assertThat(admitted).containsExactly("b");
  }

  @Test
  void whoDoesNotWait_isNotAdmittedLater() {
    outflow.enter(a, 100);
    assertThat(outflow.tryEnter(b, 1)).isFalse();
    outflow.leave(a);
    assertThat(admitted).isEmpty();
  }

  @Test
  void aPartThatTurnsOutSmaller_givesRoom_andALargerOneTakesIt() {
    outflow.enter(a, 100);
    outflow.enter(b, 90);
    outflow.enter(c, 1);
    outflow.handOver(a, a, 10);
    assertThat(admitted).containsExactly("b");
    outflow.handOver(a, a, 50);
    outflow.leave(b);
    assertThat(admitted).containsExactly("b", "c");
    assertThat(outflow.enter(d, 50)).isFalse();
  }

  @Test
  void aPlaceThatIsHandedOver_holdsWhatItsNewOwnerNeeds() {
    outflow.enter(a, 100);
    outflow.enter(c, 90);
    outflow.handOver(a, b, 10);
    assertThat(admitted).containsExactly("c");
    outflow.leave(b);
    assertThat(outflow.enter(d, 11)).isFalse();
  }

  @Test
  void leavingTwice_givesNoMoreRoom() {
    outflow.enter(a, 60);
    outflow.enter(b, 40);
    outflow.leave(b);
    outflow.leave(b);
    assertThat(outflow.enter(c, 41)).isFalse();
  }

  @Test
  void whoKeepsAPartForLong_isCutOff_whenOthersWait() {
    outflow.enter(a, 100);
    outflow.tick(MINUTE_NANOS);
    assertThat(dropped).as("nobody waits").isEmpty();
    outflow.enter(b, 1);
    outflow.tick(0);
    assertThat(dropped).as("it has not had its time").isEmpty();
    outflow.tick(MINUTE_NANOS);
    assertThat(dropped).containsExactly("a");
  }
}
