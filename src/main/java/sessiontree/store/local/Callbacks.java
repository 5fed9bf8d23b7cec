package sessiontree.store.local;

import java.util.ArrayDeque;
import java.util.concurrent.ExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs all callbacks of a store, one after another. The thread that has their results runs them if
 * they are few and no others are running, which saves two thread switches; otherwise the callbacks
 * thread does. Safe for several threads.
 */
final class Callbacks {
  private static final Logger LOG = LoggerFactory.getLogger(Callbacks.class);

  private final ExecutorService thread;

  // Guarded by this.
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
  private boolean running;

  Callbacks(ExecutorService thread) {
    this.thread = thread;
  }

  /** Runs callbacks on the calling thread, or on the callbacks thread if others are running. */
  void runHere(Runnable callbacks) {
    synchronized (this) {
      if (running) {
        waiting.add(callbacks);
        return;
      }
      running = true;
    }
    callbacks.run();
    synchronized (this) {
      running = !waiting.isEmpty();
      if (!running) {
        return;
      }
    }
    thread.execute(this::runWaiting); // this thread has other things to do
  }

  /** Runs callbacks on the callbacks thread. */
  void run(Runnable callbacks) {
    synchronized (this) {
      waiting.add(callbacks);
      if (running) {
        return;
      }
      running = true;
    }
    thread.execute(this::runWaiting);
  }

  private void runWaiting() {
    while (true) {
      Runnable next;
      synchronized (this) {
        next = waiting.poll();
        running = next != null;
      }
      if (next == null) {
        return;
      }
      next.run();
    }
  }

  /** Returns the callbacks thread, which drops callbacks once it is shut down. */
  ExecutorService thread() {
    return thread;
  }

  /** Runs a callback, and keeps its failure from the others. */
  static void guard(Runnable callback) {
    try {
      callback.run();
    } catch (RuntimeException e) {
      LOG.error("a callback failed", e);
    }
  }
}
