package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RunningClockTest {
  private final AtomicLong system = new AtomicLong(-7);
  private final RunningClock clock = new RunningClock(system::get);

  @Test
  void timeBetweenTicks_counts() {
    for (int i = 0; i < 60; i++) {
      system.addAndGet(TimeUnit.SECONDS.toNanos(1));
      clock.tick();
    }
    system.addAndGet(5);
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(60) + 5);
  }

  @Test
  void timeInWhichTheProcessWasSuspended_countsForTwoSecondsAtMost() {
    clock.tick();
    system.addAndGet(TimeUnit.SECONDS.toNanos(65));
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(2));
    clock.tick();
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(2));
    system.addAndGet(1);
    assertThat(clock.nanos()).isEqualTo(TimeUnit.SECONDS.toNanos(2) + 1);
  }
}
