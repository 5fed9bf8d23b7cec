package sessiontree;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Some threads that do the same with many, some at a time. */
final class Crowd implements AutoCloseable {
  private static final int THREADS = 8;

  private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);
  private final int size;

  /** What is done with each. */
  interface Step {
    void take(int one) throws Exception;
  }

  Crowd(int size) {
    this.size = size;
  }

  /** Takes the step with all, and returns when all have taken it. */
  void each(Step step) throws Exception {
    List<Future<?>> shares = new ArrayList<>();
    for (int t = 0; t < THREADS; t++) {
      int first = t;
      shares.add(
          threads.submit(
              () -> {
                for (int one = first; one < size; one += THREADS) {
                  step.take(one);
                }
                return null;
              }));
    }
    for (Future<?> share : shares) {
      share.get();
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
