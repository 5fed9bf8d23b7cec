package sessiontree.store.postgres;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.DaemonThreads;

/** Gives the results of all appends, one after another, by a thread of its own. */
final class Results implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Results.class);

  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(DaemonThreads.named("callbacks"));

  void give(Runnable results) {
    thread.execute(() -> guard(results));
  }

  /** One result's failure is not the others'. */
  static void guard(Runnable result) {
    try {
      result.run();
    } catch (RuntimeException e) {
      LOG.error("a result could not be given", e);
    }
  }

  /** Gives what there is. */
  @Override
  public void close() {
    thread.shutdown();
    try {
      if (!thread.awaitTermination(1, TimeUnit.MINUTES)) {
        LOG.error("not all results were given");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
