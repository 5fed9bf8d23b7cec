package sessiontree.session;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The tasks of a session that wait because another server changed the session first. Once nothing
 * is in flight, those whose appends came back as outdated run again, in their order, and then those
 * that came meanwhile. Always empty if the store is not shared. All methods but {@link #resume} are
 * guarded by the session's {@link Appends}.
 */
final class Parking {
  private final Appends appends;

  // All guarded by appends.
  private final List<Runnable> outdated = new ArrayList<>(0); // tasks to run again, in order
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>(0); // tasks to run after those
  private boolean resuming; // whether a thread runs these tasks

  Parking(Appends appends) {
    this.appends = appends;
  }

  /**
   * Queues a task that would overtake outdated ones, and returns true. Returns false if the task
   * may run now, for example because it is {@code resumed}.
   */
  boolean queueIfBehind(boolean resumed, Runnable task) {
    return !resumed && hasQueued() && waiting.add(task);
  }

  boolean hasQueued() {
    return resuming || !outdated.isEmpty() || !waiting.isEmpty();
  }

  /** Adds a task whose append came back as outdated. */
  void addOutdated(Runnable task) {
    outdated.add(task);
  }

  boolean hasOutdated() {
    return !outdated.isEmpty();
  }

  /** Once nothing is in flight, runs the outdated tasks again, and then those that wait. */
  void resume() {
    synchronized (appends) {
      if (resuming || !hasQueued()) {
        return;
      }
      resuming = true;
    }
    while (true) {
      Runnable next;
      List<Session.Watcher> ended = List.of();
      List<Session.Watcher> behind = List.of();
      synchronized (appends) {
        if (hasOutdated() && appends.inFlight > 0) {
          resuming = false; // the last result in flight resumes
          return;
        }
        if (hasOutdated()) {
          for (int i = outdated.size() - 1; i >= 0; i--) {
            waiting.addFirst(outdated.get(i));
          }
          outdated.clear();
          ended = appends.reload();
          behind = List.copyOf(appends.watchers);
        }
        next = waiting.poll();
        resuming = next != null;
      }
      appends.notifyOfEnd(ended);
      behind.forEach(Session.Watcher::missed);
      if (next == null) {
        return;
      }
      next.run();
    }
  }
}
