package sessiontree;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** A few threads that take the same step for each of many numbered clients or sessions. */
final class Crowd implements AutoCloseable {
  private static final int THREADS = 8;

  private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);
  private final int size;

  /** A step, which is taken for each number from 0 to size - 1. */
  interface Step {
    void take(int one) throws Exception;
  }

  Crowd(int size) {
    this.size = size;
  }

  /** Takes the step for all, some at a time, and returns when it is taken for all. */
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
