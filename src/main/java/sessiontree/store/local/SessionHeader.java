package sessiontree.store.local;

import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import sessiontree.store.Listing;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;

/** What is stored of a session, except for its children. Guarded by the session. */
final class SessionHeader {
  Phase phase = Phase.NEW;
  long sequence;
  long entries;
  Map<String, Long> writers = Map.of();
  Begin start;
  End end;
  long lastLsn;
  long lastMillis; // running time at which lastLsn was appended

  /** Restores the header from a run file's entry. */
  void load(RunEntry entry) {
    phase = entry.end() == null ? Phase.OPEN : Phase.ENDED;
    sequence = entry.sequence();
    entries = entry.entries();
    writers = entry.writers();
    start = entry.start();
    end = entry.end();
    lastLsn = entry.lsn();
    lastMillis = entry.millis();
  }

  /** Applies a record of the log. */
  void apply(LogRecord record) {
    sequence++;
    entries += record.entries();
    lastLsn = record.lsn();
    lastMillis = record.millis();
    if (!record.writer().isEmpty()) {
      if (writers.isEmpty()) {
        writers = new HashMap<>(2);
      }
      writers.put(record.writer(), record.number());
    }
    if (record.start() != null) {
      start = record.start();
      phase = Phase.OPEN;
    }
    if (record.end() != null) {
      end = record.end();
      phase = Phase.ENDED;
    }
  }

  /** Resets phase, entries and writers, as the session is deleted; counts the deletion. */
  void delete() {
    sequence++;
    phase = Phase.NEW;
    entries = 0;
    writers = Map.of();
  }

  /** Returns whether the session is open or its tree is being made. */
  boolean isInProgress() {
    return phase == Phase.OPEN || phase == Phase.ENDED;
  }

  SessionState state() {
    return new SessionState(phase, sequence, entries, start == null ? 0 : start.bound().key());
  }

  /** Returns how many children are stored. */
  long children() {
    return entries - 1 - (end == null ? 0 : 1);
  }

  /** Returns the LSN of the last record in hex, which no other record of the log has. */
  String lastRecord() {
    return Long.toHexString(lastLsn);
  }

  Listing.Listed listed(String id, Instant begun) {
    return new Listing.Listed(id, false, begun, null, start.bound().text(), null, entries, 0);
  }

  /**
   * Returns the header as an entry of a run file.
   *
   * @param fromLsn the session's log records up to this LSN are in older runs
   */
  RunEntry entry(String id, long fromLsn) {
    return new RunEntry(
        id,
        fromLsn,
        lastLsn,
        lastMillis,
        sequence,
        entries,
        start,
        end,
        Map.copyOf(writers),
        0,
        0,
        0,
        0);
  }
}
