package sessiontree;

import java.util.function.LongConsumer;
import sessiontree.session.Session;

/** Factories of session watchers. */
public final class Watching {
  private Watching() {}

  /** Returns a watcher that calls {@code completed}, and fails on deletion or damage. */
  public static Session.Watcher completion(LongConsumer completed) {
    return of(
        completed,
        () -> {
          throw new AssertionError("deleted");
        });
  }

  /** Returns a watcher that calls {@code damaged}, and fails on completion or deletion. */
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

  /** Returns a watcher that calls {@code completed} or {@code deleted}, and fails on damage. */
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
