package sessiontree.store.local;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import sessiontree.store.Append;

/**
 * The callbacks of a session that has ended or was deleted, held until its tree can be read or is
 * removed. Owned by the thread that runs callbacks.
 */
final class HeldCallbacks {
  /** A callback, and whether its append was accepted. */
  private record Held(Append.Callback callback, boolean accepted) {}

  private final Append.Callback first;
  private final List<Held> held = new ArrayList<>();

  /**
   * Begins with the callback of the append that ended or deleted the session.
   *
   * @param first null if the session ended before the store was opened
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
      Callbacks.guard(callback::storedAwaitingTree);
    }
  }

  /** Runs all callbacks, in order: {@code outcome} for those whose append was accepted. */
  void run(Consumer<Append.Callback> outcome) {
    for (Held one : held) {
      Callbacks.guard(
          one.accepted ? () -> outcome.accept(one.callback) : () -> one.callback.failed());
    }
    for (Held one : held) {
      Callbacks.guard(one.callback::flush);
    }
  }
}
