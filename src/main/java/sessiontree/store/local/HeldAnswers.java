package sessiontree.store.local;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import sessiontree.store.Append;

/**
 * The answers of a session that has ended, or was deleted: they wait until its tree can be read, or
 * is removed. Owned by the thread that gives answers.
 */
final class HeldAnswers {
  /** An answer, and whether its append was accepted. */
  private record Held(Append.Answer answer, boolean accepted) {}

  private final Append.Answer first;
  private final List<Held> held = new ArrayList<>();

  /**
   * Begins with the answer of the append that ended or deleted the session.
   *
   * @param first null if that was before the start
   */
  HeldAnswers(Append.Answer first) {
    this.first = first;
    if (first != null) {
      add(first, true);
    }
  }

  boolean isBehind(Append.Answer answer) {
    return first == answer;
  }

  void add(Append.Answer answer, boolean accepted) {
    held.add(new Held(answer, accepted));
    if (accepted) {
      GroupCommit.guard(answer::held);
    }
  }

  /** Gives them all, in order. */
  void give(Consumer<Append.Answer> outcome) {
    for (Held one : held) {
      GroupCommit.guard(
          one.accepted ? () -> outcome.accept(one.answer) : () -> one.answer.failed());
    }
    for (Held one : held) {
      GroupCommit.guard(one.answer::flush);
    }
  }
}
