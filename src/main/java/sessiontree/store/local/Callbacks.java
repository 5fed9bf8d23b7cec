package sessiontree.store.local;

import java.util.ArrayDeque;
import java.util.concurrent.ExecutorService;

/**
 * Runs all callbacks of a store, one after another: by the thread that has their results, if these
 * are few and no others run, which spares two changes of threads; else by a thread of its own. Safe
 * for several threads.
 */
final class Callbacks {
  private final ExecutorService thread;

  // Guarded by this.
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
  private boolean running;

  Callbacks(ExecutorService thread) {
    this.thread = thread;
  }

  /** Runs callbacks by the thread that calls, if no others run. */
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

  /** Runs callbacks by another thread. */
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

  /** The thread, which takes no more when it is shut down. */
  ExecutorService thread() {
    return thread;
  }
}
