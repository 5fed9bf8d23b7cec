package sessiontree.store.local;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import sessiontree.event.Batch;
import sessiontree.store.log.WriteAheadLog;

/**
 * A record of the write-ahead log: one append, a probe or a tombstone. The package's manual has its
 * byte layout.
 *
 * @param lsn log sequence number: 1 for the log's first record, and one more for each
 * @param millis {@link RunningTime} at which it was appended
 * @param sequence number of records that the session had before this one
 * @param writer the writer's name; empty if there is none
 * @param number number of the message among those of that writer
 * @param start the session's start, or null
 * @param end the session's end, or null
 * @param count number of children
 * @param children laid out as {@link sessiontree.event.Children}
 */
record LogRecord(
    Type type,
    long lsn,
    long millis,
    String id,
    long sequence,
    String writer,
    long number,
    Begin start,
    End end,
    int count,
    byte[] children)
    implements WriteAheadLog.Body {

  /** The type of a record, with its number in the file. */
  enum Type {
    APPEND(1),
    /** Tests whether the disk accepts writes again, and changes nothing. */
    PROBE(2),
    /** A tombstone: deletes the session, and makes its earlier records void. */
    DELETION(3);

    private final byte number;

    Type(int number) {
      this.number = (byte) number;
    }

    /** Returns null if no type has that number. */
    private static Type of(byte number) {
      for (Type type : values()) {
        if (type.number == number) {
          return type;
        }
      }
      return null;
    }
  }

  private static final byte[] NO_CHILDREN = new byte[0];
  private static final int HAS_START = 1;
  private static final int HAS_END = 2;
  private static final int ABANDONED = 4;
  private static final int TIMED = 8; // the start has a time

  @Override
  public void putHead(ByteBuffer to) {
    to.put(type.number).putLong(millis);
    putName(to, id);
    to.putLong(sequence);
    putName(to, writer);
    to.putLong(number).put((byte) flags());
    if (start != null) {
      start.put(to);
    }
    if (end != null) {
      end.put(to);
    }
    to.putInt(count);
  }

  @Override
  public byte[] tail() {
    return children;
  }

  private int flags() {
    int flags = start == null ? 0 : HAS_START | (start.isTimed() ? TIMED : 0);
    if (end != null) {
      flags |= HAS_END | (end.abandoned() ? ABANDONED : 0);
    }
    return flags;
  }

  /** Puts an id or a writer: its length in one byte, and its characters. */
  static void putName(ByteBuffer to, String text) {
    to.put((byte) text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
  }

  static void putBound(ByteBuffer to, Batch.Bound bound) {
    to.putLong(bound.key()).putShort((short) bound.text().length());
    to.put(bound.text().getBytes(StandardCharsets.US_ASCII));
  }

  /** Reads a record from the payload with that LSN; returns null if it is not valid. */
  static LogRecord read(long lsn, ByteBuffer body) {
    try {
      Type type = Type.of(body.get());
      if (type == null) {
        return null;
      }
      long millis = body.getLong();
      String id = name(body);
      long sequence = body.getLong();
      String writer = name(body);
      long number = body.getLong();
      int flags = body.get();
      Begin start = (flags & HAS_START) == 0 ? null : Begin.read(body, (flags & TIMED) != 0);
      End end = (flags & HAS_END) == 0 ? null : End.read(body, (flags & ABANDONED) != 0);
      int count = body.getInt();
      byte[] children = new byte[body.remaining()];
      body.get(children);
      return new LogRecord(
          type, lsn, millis, id, sequence, writer, number, start, end, count, children);
    } catch (BufferUnderflowException e) {
      return null;
    }
  }

  static Batch.Bound bound(ByteBuffer from) {
    long key = from.getLong();
    return new Batch.Bound(key, text(from, from.getShort()));
  }

  /** Reads an id or a writer. */
  static String name(ByteBuffer from) {
    return text(from, from.get() & 0xff);
  }

  private static String text(ByteBuffer from, int length) {
    if (length < 0 || length > from.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] bytes = new byte[length];
    from.get(bytes);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  /** Returns a record that tests whether the log can be written, and changes nothing. */
  static LogRecord probe(long lsn, long millis) {
    return bare(Type.PROBE, lsn, millis, "", 0);
  }

  /** Returns a record that deletes a session. */
  static LogRecord deletion(long lsn, long millis, String id, long sequence) {
    return bare(Type.DELETION, lsn, millis, id, sequence);
  }

  private static LogRecord bare(Type type, long lsn, long millis, String id, long sequence) {
    return new LogRecord(type, lsn, millis, id, sequence, "", 0, null, null, 0, NO_CHILDREN);
  }

  /** Returns the journal line of a record that has a start. */
  JournalLine begun() {
    return JournalLine.begun(start.epochMicros(), lsn, millis, id);
  }

  int entries() {
    return count + (start == null ? 0 : 1) + (end == null ? 0 : 1);
  }
}
