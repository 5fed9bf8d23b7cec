package sessiontree;

import java.util.function.LongConsumer;
import sessiontree.session.Session;

/** Watchers of sessions. */
public final class Watching {
  private Watching() {}

  /** Is told of the completion, and does not expect a deletion. */
  public static Session.Watcher completion(LongConsumer completed) {
    return of(
        completed,
        () -> {
          throw new AssertionError("deleted");
        });
  }

  /** Is told of damage, and expects nothing else. */
  public static Session.Watcher damage(Runnable damaged) {
    return new Session.Watcher() {
      @Override
      public void completed(long entries) {
        throw new AssertionError("completed");
      }

      @Override
      public void deleted() {
        throw new AssertionError("deleted");
      }

      @Override
      public void damaged() {
        damaged.run();
      }
    };
  }

  /** Is told of completion and deletion. */
  public static Session.Watcher of(LongConsumer completed, Runnable deleted) {
    return new Session.Watcher() {
      @Override
      public void completed(long entries) {
        completed.accept(entries);
      }

      @Override
      public void deleted() {
        deleted.run();
      }

      @Override
      public void damaged() {
        throw new AssertionError("damaged");
      }
    };
  }
}
