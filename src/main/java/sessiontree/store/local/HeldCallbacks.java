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

  private List<Held> held; // null while no callbacks are held
  private Append.Callback first;

  /**
   * Holds callbacks from now on, beginning with that of the append that ended or deleted the
   * session. Callbacks held before waited for the tree of a session that is now deleted; they run
   * with {@code noTree}.
   *
   * @param first null during recovery, when no append has a callback
   */
  void begin(Append.Callback first) {
    run(Append.Callback::noTree);
    this.first = first;
    held = new ArrayList<>();
    if (first != null) {
      add(first, true);
    }
  }

  /** Returns whether callbacks are held. */
  boolean areHeld() {
    return held != null;
  }

  void add(Append.Callback callback, boolean accepted) {
    held.add(new Held(callback, accepted));
    if (accepted) {
      Callbacks.guard(callback::storedAwaitingTree);
    }
  }

  /** Runs {@code first} and the callbacks held behind it, unless a deletion already has. */
  void release(Append.Callback first, Consumer<Append.Callback> outcome) {
    if (first == this.first) {
      run(outcome);
    }
  }

  /** Runs all callbacks, in order: {@code outcome} for those whose append was accepted. */
  private void run(Consumer<Append.Callback> outcome) {
    List<Held> all = held == null ? List.of() : held;
    held = null;
    for (Held one : all) {
      Callbacks.guard(
          one.accepted ? () -> outcome.accept(one.callback) : () -> one.callback.failed());
    }
    for (Held one : all) {
      Callbacks.guard(one.callback::flush);
    }
  }
}
