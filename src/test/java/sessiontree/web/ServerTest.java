package sessiontree.web;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import sessiontree.Await;
import sessiontree.store.RunningClock;

class ServerTest {
  @Test
  void checkOfTimeLimits_isCalledAgain_whenItHasFailed() throws Exception {
    AtomicInteger calls = new AtomicInteger();
    Runnable guarded =
        Server.guarded(
            now -> {
              throw new IllegalStateException("call " + calls.incrementAndGet());
            },
            new RunningClock(System::nanoTime));
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    try {
      ScheduledFuture<?> unused = clock.scheduleAtFixedRate(guarded, 0, 1, TimeUnit.MILLISECONDS);
      Await.until("it is called again", () -> calls.get() > 1);
    } finally {
      clock.shutdownNow();
    }
  }
}
