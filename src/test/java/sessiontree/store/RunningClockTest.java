package sessiontree.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RunningClockTest {
  private final AtomicLong system = new AtomicLong(-7);
  private final RunningClock clock = new RunningClock(system::get);

  @Test
  void timeBetweenReadings_counts() {
    for (int i = 0; i < 60; i++) {
      system.addAndGet(TimeUnit.SECONDS.toNanos(1));
      clock.nanos();
    }
    system.addAndGet(5);
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(60) + 5);
    assertThat(clock.millis()).isEqualTo(60_000);
  }

  @Test
  void timeInWhichTheProcessWasSuspended_countsForFiveSecondsAtMost() {
    clock.nanos();
    system.addAndGet(TimeUnit.SECONDS.toNanos(65));
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(5));
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(5));
    system.addAndGet(1);
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(5) + 1);
  }
}
