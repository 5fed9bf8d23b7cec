package sessiontree.store.postgres;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.store.Append;

/**
 * Appends that are stored by one statement: successive appends to a session become one {@link
 * Change} of its row. An append that cannot be in the same statement is left for the next group.
 * Owned by the lane.
 */
final class Group {
  /** A row that the statement inserts, updates or deletes. */
  static final class Change {
    static final int INSERT = 0;
    static final int UPDATE = 1;
    static final int DELETE = 2;

    final String id;
    final int kind;
    final Row before;
    final long born;
    int appends;
    int entries;
    int count;
    Batch.Bound start;
    Batch.Bound latest = new Batch.Bound(Long.MIN_VALUE, "");
    Batch.Bound end;
    boolean abandoned;
    final List<Batch> batches = new ArrayList<>(1);
    final Map<String, Long> writers = new LinkedHashMap<>(0);

    Change(String id, int kind, Row before, long born) {
      this.id = id;
      this.kind = kind;
      this.before = before;
      this.born = born;
    }

    private void add(Append append) {
      appends++;
      entries += append.entries();
      Batch batch = append.batch();
      if (batch == null) {
        return;
      }
      if (append.keepsStart()) {
        start = batch.start();
        latest = start;
      }
      if (batch.count() > 0) {
        batches.add(batch);
        count += batch.count();
        byte[] children = batch.children();
        for (int i = 0;
            i < children.length;
            i += Children.HEADER_BYTES + Children.length(children, i)) {
          long key = Children.key(children, i);
          if (key > latest.key()) {
            latest = Children.bound(key, children, i + Children.HEADER_BYTES);
          }
        }
      }
      if (append.writer() != null) {
        writers.put(append.writer(), append.number());
      }
      end = batch.end();
      abandoned = append.kind() == Append.Kind.ABANDONMENT;
    }

    byte[] children() {
      return batches.isEmpty() ? new byte[0] : Batch.joined(batches).children();
    }

    private Row after() {
      return kind == DELETE
          ? before.deleted()
          : new Row(
              born,
              end == null ? Row.OPEN : Row.ENDED,
              before.seq() + appends,
              before.entries() + entries,
              start == null ? before.startKey() : start.key());
    }
  }

  /** The group's appends to one session. */
  static final class SessionAppends {
    final PostgresSession session;
    final List<Queued> queued = new ArrayList<>(1);
    Change change; // null if the appends write nothing
    Row row; // as it will be once the appends so far are stored
    boolean broken; // some appends expect another sequence

    SessionAppends(PostgresSession session) {
      this.session = session;
      this.row = session.known;
    }

    /** Returns whether the row must be read before the results can be given. */
    boolean asks() {
      return change == null || broken;
    }
  }

  private final Map<String, SessionAppends> parts = new LinkedHashMap<>();
  private final Set<String> leftIds = new HashSet<>(0);
  private final LongSupplier borns;

  final List<Queued> queued = new ArrayList<>();
  final List<Queued> later = new ArrayList<>(0);
  boolean givenUnknown; // the results were given as unknown

  Group(LongSupplier borns) {
    this.borns = borns;
  }

  Collection<SessionAppends> parts() {
    return parts.values();
  }

  List<Change> changes() {
    List<Change> changes = new ArrayList<>(parts.size());
    for (SessionAppends part : parts.values()) {
      if (part.change != null) {
        changes.add(part.change);
      }
    }
    return changes;
  }

  /**
   * Marks the {@code missed} changes as broken, as the statement stored all but them. Returns the
   * sessions whose rows must be read before the results can be given.
   */
  Set<String> breakMissed(Set<Long> missed) {
    Set<String> unknown = new LinkedHashSet<>();
    for (SessionAppends part : parts.values()) {
      part.broken |= part.change != null && missed.contains(part.change.born);
      if (part.asks() && !part.session.known.isDeleted()) {
        unknown.add(part.session.id());
      }
    }
    return unknown;
  }

  /** Adds the next append, or leaves it and its session's later ones for the next group. */
  void add(Queued one) {
    PostgresSession session = one.session;
    SessionAppends part = parts.get(session.id());
    if (leftIds.contains(session.id()) || (part != null && !fits(part, one))) {
      leftIds.add(session.id());
      later.add(one);
      return;
    }
    if (part == null) {
      part = new SessionAppends(session);
      parts.put(session.id(), part);
    }
    queued.add(one);
    part.queued.add(one);
    plan(part, one);
  }

  private static boolean fits(SessionAppends part, Queued one) {
    if (part.session != one.session) { // another handle of the id
      return false;
    }
    boolean last =
        part.change != null && (part.change.kind == Change.DELETE || part.change.end != null);
    boolean deletes = one.append.kind() == Append.Kind.DELETION;
    return !one.append.changes() || (deletes ? part.change == null : !last);
  }

  private void plan(SessionAppends part, Queued one) {
    Append append = one.append;
    one.outcome = Queued.Outcome.STORED; // unless the statement says otherwise
    boolean over = part.row.isDeleted() && append.changes();
    if (one.era <= part.session.brokenEra || append.expected() != part.row.seq() || over) {
      one.outcome = Queued.Outcome.OUTDATED;
      part.broken = true;
      part.session.brokenEra = Math.max(part.session.brokenEra, one.era);
      return;
    }
    if (append.changes()) {
      if (part.change == null) {
        part.change = change(part, append);
      }
      part.change.add(append);
      part.row = part.change.after();
    }
    one.after = part.row;
  }

  private Change change(SessionAppends part, Append append) {
    Row before = part.row;
    String id = part.session.id();
    if (append.kind() == Append.Kind.DELETION) {
      return new Change(id, Change.DELETE, before, before.born());
    }
    boolean begins = before.born() == 0;
    return new Change(
        id,
        begins ? Change.INSERT : Change.UPDATE,
        before,
        begins ? borns.getAsLong() : before.born());
  }
}
