package sessiontree.store;

import java.util.concurrent.ThreadFactory;

/**
 * Makes threads that do not keep the process alive. What one of them does not catch goes to the
 * process's handler of uncaught exceptions.
 */
public final class DaemonThreads {
  private DaemonThreads() {}

  /** Makes threads of that name. */
  public static ThreadFactory named(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }
}
