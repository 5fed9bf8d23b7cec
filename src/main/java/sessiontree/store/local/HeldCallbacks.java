package sessiontree.store.local;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import sessiontree.store.Append;

/**
 * The callbacks of a session that has ended, or was deleted: they wait until its tree can be read,
 * or is removed. Owned by the thread that runs callbacks.
 */
final class HeldCallbacks {
  /** A callback, and whether its append was accepted. */
  private record Held(Append.Callback callback, boolean accepted) {}

  private final Append.Callback first;
  private final List<Held> held = new ArrayList<>();

  /**
   * Begins with the callback of the append that ended or deleted the session.
   *
   * @param first null if that was before the start
   */
  HeldCallbacks(Append.Callback first) {
    this.first = first;
    if (first != null) {
      add(first, true);
    }
  }

  boolean isBehind(Append.Callback callback) {
    return first == callback;
  }

  void add(Append.Callback callback, boolean accepted) {
    held.add(new Held(callback, accepted));
    if (accepted) {
      GroupCommit.guard(callback::held);
    }
  }

  /** Runs them all, in order. */
  void run(Consumer<Append.Callback> outcome) {
    for (Held one : held) {
      GroupCommit.guard(
          one.accepted ? () -> outcome.accept(one.callback) : () -> one.callback.failed());
    }
    for (Held one : held) {
      GroupCommit.guard(one.callback::flush);
    }
  }
}
