package sessiontree.store;

import java.util.concurrent.ThreadFactory;

/**
 * Threads that do not keep the process alive. A failure that such a thread does not catch goes to
 * the process's handler of uncaught exceptions, which ends the process.
 */
public final class DaemonThreads {
  private DaemonThreads() {}

  /** Returns a factory of threads with that name. */
  public static ThreadFactory named(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /**
   * Wraps a task so that its errors, such as OutOfMemoryError, are passed to {@link #uncaught}:
   * schedulers and futures would keep them to themselves.
   */
  public static Runnable vital(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (Error e) {
        uncaught(e);
        throw e;
      }
    };
  }

  /** Passes a failure to the current thread's handler of uncaught exceptions. */
  public static void uncaught(Throwable failure) {
    Thread thread = Thread.currentThread();
    thread.getUncaughtExceptionHandler().uncaughtException(thread, failure);
  }

  /**
   * Waits on a monitor that the caller holds, like {@link Object#wait(long)}, for threads that
   * nobody interrupts. An interrupt ends the wait early, as a spurious wakeup does.
   *
   * @param millis maximum time to wait; 0 for no limit
   */
  @SuppressWarnings("WaitNotInLoop") // the caller's loop
  public static void await(Object monitor, long millis) {
    try {
      monitor.wait(millis);
    } catch (InterruptedException e) {
      // the caller checks its condition again
    }
  }
}
