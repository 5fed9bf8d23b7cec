package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import sessiontree.store.RunningClock;

/** Which streams may read, and which is next, when in-flight bytes have reached their bound. */
class InFlightTest {
  private static final boolean MID_MESSAGE = true;
  private static final boolean BETWEEN_MESSAGES = false;

  private final InFlight inFlight = new InFlight(100, new RunningClock(System::nanoTime));
  private final List<String> admitted = new ArrayList<>();
  private final List<String> dropped = new ArrayList<>();

  private final class Named implements InFlight.Reader {
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
    public void drop() {
      dropped.add(name);
    }
  }

  private final InFlight.Reader a = new Named("a", true);
  private final InFlight.Reader b = new Named("b", true);
  private final InFlight.Reader c = new Named("c", true);
  private final InFlight.Reader gone = new Named("gone", false);

  @Test
  void belowTheBound_allRead() {
    inFlight.add(99);
    assertThat(inFlight.mayRead(a, BETWEEN_MESSAGES)).isTrue();
    assertThat(inFlight.mayRead(b, MID_MESSAGE)).isTrue();
  }

  @Test
  void whoWaits_isAdmittedInTurn_oneAfterAnother() {
    inFlight.add(100);
    assertThat(inFlight.mayRead(a, BETWEEN_MESSAGES)).isFalse();
    assertThat(inFlight.mayRead(b, BETWEEN_MESSAGES)).isFalse();
    inFlight.subtract(50);
    assertThat(admitted).containsExactly("a");
    assertThat(inFlight.mayRead(c, BETWEEN_MESSAGES)).as("it does not overtake").isFalse();
    inFlight.admitNext();
    inFlight.admitNext();
    assertThat(admitted).containsExactly("a", "b", "c");
    assertThat(inFlight.mayRead(a, BETWEEN_MESSAGES)).isTrue();
  }

  @Test
  void aTurn_thatLeavesNoRoom_endsTheRound() {
    inFlight.add(100);
    inFlight.mayRead(a, BETWEEN_MESSAGES);
    inFlight.mayRead(b, BETWEEN_MESSAGES);
    inFlight.subtract(1);
    inFlight.add(1); // bytes that a has read
    inFlight.admitNext();
    assertThat(admitted).containsExactly("a");
    inFlight.subtract(1);
    assertThat(admitted).containsExactly("a", "b");
  }

  @Test
  void atTheBound_oneAmidstAMessageReads_andThenTheNextOfThem() {
    inFlight.add(100);
    assertThat(inFlight.mayRead(a, BETWEEN_MESSAGES)).isFalse();
    assertThat(inFlight.mayRead(b, MID_MESSAGE)).isTrue();
    assertThat(inFlight.mayRead(c, MID_MESSAGE)).isFalse();
    assertThat(inFlight.mayRead(b, MID_MESSAGE)).as("until its message is whole").isTrue();
    inFlight.endExemption(b);
    assertThat(admitted).containsExactly("c");
    assertThat(inFlight.mayRead(b, MID_MESSAGE)).as("its next one waits").isFalse();
  }

  @Test
  void whereWholeMessagesAloneReachTheBound_nobodyReads_untilOneHasItsResult() {
    inFlight.addMessage(99);
    inFlight.add(1);
    assertThat(inFlight.mayRead(a, MID_MESSAGE)).isTrue();
    assertThat(inFlight.mayRead(b, MID_MESSAGE)).isFalse();
    inFlight.addMessage(50); // the message of a
    inFlight.endExemption(a);
    assertThat(admitted).isEmpty();
    inFlight.subtractMessages(50);
    assertThat(inFlight.bytes()).isEqualTo(100);
    assertThat(admitted).containsExactly("b");
  }

  @Test
  void whoDoesNotTakeItsTurn_holdsUpNobody() {
    inFlight.add(100);
    inFlight.mayRead(a, MID_MESSAGE);
    inFlight.mayRead(gone, MID_MESSAGE);
    inFlight.mayRead(b, MID_MESSAGE);
    inFlight.endExemption(a);
    assertThat(admitted).containsExactly("b");
    inFlight.tick(60_000_000_000L);
    assertThat(dropped).containsExactly("b");
  }

  @Test
  void whoIsForgotten_isNotAdmitted() {
    inFlight.add(100);
    inFlight.mayRead(a, BETWEEN_MESSAGES);
    inFlight.mayRead(b, BETWEEN_MESSAGES);
    inFlight.forget(a);
    inFlight.subtract(100);
    assertThat(admitted).containsExactly("b");
  }
}
