package sessiontree.store.local;

import java.util.ArrayDeque;
import java.util.concurrent.ExecutorService;

/**
 * Gives all answers of a store, one after another: by the thread that has them, if there are few
 * and no others are being given, which spares two changes of threads; else by a thread of its own.
 * Safe for several threads.
 */
final class Answers {
  private final ExecutorService thread;

  // Guarded by this.
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
  private boolean running;

  Answers(ExecutorService thread) {
    this.thread = thread;
  }

  /** Gives answers by the thread that calls, if no others are being given. */
  void giveHere(Runnable answers) {
    synchronized (this) {
      if (running) {
        waiting.add(answers);
        return;
      }
      running = true;
    }
    answers.run();
    synchronized (this) {
      running = !waiting.isEmpty();
      if (!running) {
        return;
      }
    }
    thread.execute(this::giveWaiting); // this thread has other things to do
  }

  /** Gives answers by another thread. */
  void give(Runnable answers) {
    synchronized (this) {
      waiting.add(answers);
      if (running) {
        return;
      }
      running = true;
    }
    thread.execute(this::giveWaiting);
  }

  private void giveWaiting() {
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
