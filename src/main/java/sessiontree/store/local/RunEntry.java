package sessiontree.store.local;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * What a run file's index holds of one session: its state when it was spilled, and where its
 * children lie.
 *
 * @param fromLsn its log records up to this one are in older runs
 * @param lsn the last of its log records that the state takes in
 * @param millis when that was appended, as {@link RunningTime} counts
 * @param offset where its children begin in the file
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

  /** Bytes of an entry without its writers, at most. */
  private static final int MAX_FIXED_BYTES = 4096;

  private static final int BYTES_A_WRITER = 1 + 128 + 8;

  private static final byte OPEN = 0;
  private static final byte ENDED = 1;
  private static final byte ABANDONED = 2;
  private static final byte TIMED = 8; // and one of these: its start is

  RunEntry at(long offset, long length, int count, int crc) {
    return new RunEntry(
        id, fromLsn, lsn, millis, sequence, entries, start, end, writers, offset, length, count,
        crc);
  }

  /** The entry of a run that holds the children of all older runs too. */
  RunEntry withOlderRuns() {
    return new RunEntry(
        id, 0, lsn, millis, sequence, entries, start, end, writers, offset, length, count, crc);
  }

  /** The entry, after its length in 4 bytes. */
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

  /** Reads an entry, without its length. */
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
