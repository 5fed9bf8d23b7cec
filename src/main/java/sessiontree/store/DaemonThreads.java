package sessiontree.store;

import java.util.concurrent.ThreadFactory;

/**
 * Factories of threads that do not keep the process alive. An exception that such a thread does not
 * catch goes to the process's handler of uncaught exceptions.
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
}
