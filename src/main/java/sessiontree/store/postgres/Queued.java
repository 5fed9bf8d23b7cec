package sessiontree.store.postgres;

import sessiontree.store.Append;

/** An append in a lane: first queued, then in a group, then with its result. Owned by the lane. */
final class Queued {
  /** The result of an append. */
  enum Outcome {
    STORED,
    OUTDATED,
    FAILED,
    UNKNOWN
  }

  final PostgresSession session;
  final Append append;
  final int era;

  /** The session's row once the append is stored. */
  Row after;

  Outcome outcome;

  Queued(PostgresSession session, Append append) {
    this.session = session;
    this.append = append;
    this.era = session.era();
  }

  int bytes() {
    return append.batch() == null ? 0 : append.batch().children().length;
  }
}
