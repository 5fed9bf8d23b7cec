package sessiontree.store.postgres;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.DaemonThreads;

/** Calls the callbacks of all appends, one after another, on its own thread. */
final class Results implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Results.class);

  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(DaemonThreads.named("callbacks"));

  void give(Runnable results) {
    thread.execute(() -> guard(results));
  }

  /** Runs a callback, and logs its failure, so that the others still run. */
  static void guard(Runnable result) {
    try {
      result.run();
    } catch (RuntimeException e) {
      LOG.error("an append's callback failed", e);
    }
  }

  /** Runs the queued callbacks, waiting at most a minute. */
  @Override
  public void close() {
    thread.shutdown();
    try {
      if (!thread.awaitTermination(1, TimeUnit.MINUTES)) {
        LOG.error("closed with callbacks still pending after 1 minute");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
