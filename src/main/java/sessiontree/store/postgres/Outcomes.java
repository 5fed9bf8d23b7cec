package sessiontree.store.postgres;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import sessiontree.store.Append;
import sessiontree.store.postgres.Queued.Outcome;

/**
 * Derives the outcome of a group, stored or not: gives the results, and reports what other
 * components and servers must know.
 */
final class Outcomes {
  private final Results results;
  private final Awaiting awaiting;
  private final Finisher finisher;
  private final Follower follower;
  private final AtomicInteger openSessions;

  Outcomes(
      Results results,
      Awaiting awaiting,
      Finisher finisher,
      Follower follower,
      AtomicInteger openSessions) {
    this.results = results;
    this.awaiting = awaiting;
    this.finisher = finisher;
    this.follower = follower;
    this.openSessions = openSessions;
  }

  /** Gives results that were decided without reading the database. */
  void give(List<Queued> all) {
    results.give(() -> callBack(all, Map.of(), Map.of()));
  }

  /**
   * Gives the results of a stored group. Called by the lane's thread.
   *
   * @param missed {@code born} of each change that was outdated
   * @param rows the rows that had to be read; null if they could not be read
   */
  void give(
      Group group, Set<Long> missed, Map<String, Row> rows, Map<Long, List<Row.Writer>> writers) {
    List<String> deleted = new ArrayList<>(0);
    int opened = 0;
    for (Group.SessionAppends part : group.parts()) {
      if (part.change != null && !missed.contains(part.change.born)) {
        opened += stored(part, deleted);
      }
      if (part.asks()) {
        settleByRow(
            part, missed, rows == null ? null : rows.getOrDefault(part.session.id(), Row.NONE));
      }
    }
    List<Queued> all = group.queued;
    Map<String, Row> loaded = new HashMap<>();
    for (Group.SessionAppends part : group.parts()) {
      if (part.broken && rows != null) {
        loaded.put(part.session.id(), part.session.known);
      }
    }
    openSessions.addAndGet(opened);
    results.give(() -> callBack(all, loaded, writers));
    for (Group.SessionAppends part :
        group.parts()) { // last, so that results already wait for the tree
      if (part.change != null && part.change.end != null && !missed.contains(part.change.born)) {
        finisher.add(new Finisher.Ended(part.session.id(), part.row.born()));
      }
    }
    if (!deleted.isEmpty()) {
      follower.publish(deleted);
    }
  }

  /** Returns the sessions whose writers must be read, as their rows are not what was known. */
  static Set<Long> changedBorns(Group group, Map<String, Row> rows) {
    Set<Long> borns = new LinkedHashSet<>();
    for (Group.SessionAppends part : group.parts()) {
      Row row = rows.get(part.session.id());
      if (row != null && (part.broken || row.seq() != part.session.known.seq())) {
        borns.add(row.born());
      }
    }
    return borns;
  }

  /** Applies a stored change. Returns by how many the open sessions grew. */
  private int stored(Group.SessionAppends part, List<String> deleted) {
    Group.Change change = part.change;
    Row before = part.session.known;
    part.session.known = part.row;
    if (change.kind == Group.Change.DELETE) {
      deleted.add(change.id);
      return before.phase() == Row.COMPLETE ? 0 : -1;
    }
    return change.kind == Group.Change.INSERT ? 1 : 0;
  }

  /**
   * Decides outcomes by the session's row: appends that expect it are stored, others outdated.
   *
   * @param row null if it could not be read
   */
  private static void settleByRow(Group.SessionAppends part, Set<Long> missed, Row row) {
    PostgresSession session = part.session;
    Row known = session.known;
    boolean lost = part.change != null && missed.contains(part.change.born);
    Row there = row;
    if (known.isDeleted()) {
      there = known;
    } else if (row != null && known.born() != 0 && row.born() != known.born()) {
      there = known.deleted();
    }
    boolean same = there != null && there.born() == known.born() && there.seq() == known.seq();
    if (there != null) {
      session.known = there;
    }
    for (Queued one : part.queued) {
      boolean stands = one.outcome == Outcome.STORED;
      boolean holds = lost ? same && one.after.seq() == known.seq() : same || part.change != null;
      if (stands && holds) {
        one.after = part.change == null ? there : one.after;
        continue;
      }
      one.outcome = row == null && !known.isDeleted() ? Outcome.FAILED : Outcome.OUTDATED;
      session.brokenEra = Math.max(session.brokenEra, one.era);
      part.broken = true;
    }
  }

  /**
   * Calls the callbacks of a group. Called by the callback thread.
   *
   * @param loaded the rows of sessions with outdated appends, by id
   */
  private void callBack(
      List<Queued> all, Map<String, Row> loaded, Map<Long, List<Row.Writer>> writers) {
    List<Append.Callback> flushes = new ArrayList<>(all.size());
    Set<PostgresSession> loadedSessions = new HashSet<>();
    for (Queued one : all) {
      PostgresSession session = one.session;
      Append.Callback callback = one.append.callback();
      Runnable result = () -> give(one, loaded, writers, loadedSessions);
      if (one.outcome == Outcome.STORED && one.append.kind() == Append.Kind.DELETION) {
        session.deletedHere();
      }
      boolean stored = one.outcome == Outcome.STORED;
      if (stored && one.append.ends()) {
        session.moveOn(one.after, one.append);
        session.hold(callback);
        awaiting.add(session, one.after.born());
      } else if (session.holds()) {
        session.hold(callback, stored, result);
      } else if (stored && one.after.phase() == Row.ENDED) { // another server makes the tree
        session.hold(null);
        session.hold(callback, true, result);
        awaiting.add(session, one.after.born());
      } else {
        Results.guard(result);
        flushes.add(callback);
      }
    }
    flushes.forEach(callback -> Results.guard(callback::flush));
  }

  private static void give(
      Queued one,
      Map<String, Row> loaded,
      Map<Long, List<Row.Writer>> writers,
      Set<PostgresSession> loadedSessions) {
    PostgresSession session = one.session;
    Append.Callback callback = one.append.callback();
    switch (one.outcome) {
      case STORED -> {
        session.moveOn(one.after, one.append);
        callback.stored();
      }
      case OUTDATED -> {
        Row row = loaded.get(session.id());
        if (row != null && loadedSessions.add(session)) {
          session.load(row, writers.getOrDefault(row.born(), List.of()));
        }
        callback.outdated();
      }
      case FAILED -> callback.failed();
      case UNKNOWN -> callback.unknown();
    }
  }
}
