package sessiontree.store.local;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * An entry of a run file's index: the state of one session when it was spilled, and the location of
 * its children.
 *
 * @param fromLsn the session's log records up to this LSN are in older runs
 * @param lsn the LSN of the last log record that the state includes
 * @param millis the {@link RunningTime} at which that record was appended
 * @param offset the offset of the session's children in the file
 */
record RunEntry(
    String id,
    long fromLsn,
    long lsn,
    long millis,
    long sequence,
    long entries,
    Begin start,
    End end,
    Map<String, Long> writers,
    long offset,
    long length,
    int count,
    int crc) {

  /** Maximum size of an entry without its writers. */
  private static final int MAX_FIXED_BYTES = 4096;

  private static final int BYTES_A_WRITER = 1 + 128 + 8;

  private static final byte OPEN = 0;
  private static final byte ENDED = 1;
  private static final byte ABANDONED = 2;
  private static final byte TIMED = 8; // flag added to one of these: the start has a time

  RunEntry at(long offset, long length, int count, int crc) {
    return new RunEntry(
        id, fromLsn, lsn, millis, sequence, entries, start, end, writers, offset, length, count,
        crc);
  }

  /** Returns the entry of a run that also holds the children of all older runs. */
  RunEntry withOlderRuns() {
    return new RunEntry(
        id, 0, lsn, millis, sequence, entries, start, end, writers, offset, length, count, crc);
  }

  /** Encodes the entry, preceded by its length in 4 bytes. */
  byte[] bytes() {
    ByteBuffer to = ByteBuffer.allocate(MAX_FIXED_BYTES + writers.size() * BYTES_A_WRITER);
    to.position(Integer.BYTES);
    LogRecord.putName(to, id);
    to.putLong(fromLsn).putLong(lsn).putLong(millis).putLong(sequence).putLong(entries);
    byte phase = end == null ? OPEN : end.abandoned() ? ABANDONED : ENDED;
    to.put((byte) (start.isTimed() ? phase | TIMED : phase));
    start.put(to);
    if (end != null) {
      end.put(to);
    }
    to.putInt(writers.size());
    writers.forEach(
        (name, number) -> {
          LogRecord.putName(to, name);
          to.putLong(number);
        });
    to.putLong(offset).putLong(length).putInt(count).putInt(crc);
    to.putInt(0, to.position() - Integer.BYTES);
    byte[] bytes = new byte[to.position()];
    to.flip().get(bytes);
    return bytes;
  }

  /** Decodes an entry without its length. */
  static RunEntry read(ByteBuffer from) {
    String id = LogRecord.name(from);
    long fromLsn = from.getLong();
    long lsn = from.getLong();
    long millis = from.getLong();
    long sequence = from.getLong();
    long entries = from.getLong();
    byte flags = from.get();
    Begin start = Begin.read(from, (flags & TIMED) != 0);
    int phase = flags & ~TIMED;
    End end = phase == OPEN ? null : End.read(from, phase == ABANDONED);
    int named = from.getInt();
    Map<String, Long> writers = new HashMap<>();
    for (int i = 0; i < named; i++) {
      writers.put(LogRecord.name(from), from.getLong());
    }
    return new RunEntry(
        id,
        fromLsn,
        lsn,
        millis,
        sequence,
        entries,
        start,
        end,
        writers,
        from.getLong(),
        from.getLong(),
        from.getInt(),
        from.getInt());
  }
}
