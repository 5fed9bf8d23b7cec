package sessiontree.event;

import static sessiontree.event.Words.WORD;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The fast parser: returns the same batch that {@link JacksonParser} makes, several times as fast,
 * for messages of common shapes, and null for others. It refuses no message: Jackson finds what is
 * wrong with one, and where. It is the hot loop of the server: one pass reads, checks and writes.
 *
 * <p>It accepts strict JSON, compact or with white space; members in any order, and any additional
 * ones; UTF-8; escapes in values. Besides everything that breaks a rule, it leaves to Jackson: byte
 * order marks, trailing commas, escapes in member names and in an entry's type and session_id, a
 * name that is not a string, and entries with more than some hundred additional members.
 *
 * <p>Memory: the message's size, and 4 KB at most for names. Not safe for several threads: make one
 * for each message.
 */
final class EntryScanner extends JsonScanner {
  // Expected texts as the first bytes of a word; with the closing quote, longer texts differ.
  private static final long TYPE = word("type\"");
  private static final long NAME = word("name\"");
  private static final long TIMESTAMP_1 = word("timestam");
  private static final long TIMESTAMP_2 = word("p\"");
  private static final long SESSION_ID_1 = word("session_");
  private static final long SESSION_ID_2 = word("id\"");
  private static final long EVENT = word("\"EVENT\"");
  private static final long SESSION = word("\"SESSION");
  private static final long START = word("_START\"");
  private static final long END = word("_END\"");
  private static final long TRUE = word("true");
  private static final long FALSE = word("false");
  private static final long NULL = word("null");

  private static final long BEFORE_NAME = word(",\"name\":");

  /** The nesting level of an entry, where the message's array is level 1. */
  private static final int ENTRY_LEVEL = 2;

  private static final int MAX_SLOTS = 1024;

  /** Maximum number of names to compare, so that names chosen to collide do not make it slow. */
  private static final int MAX_PROBES = 32;

  private final String sessionId;

  // The batch scanned so far.
  private final byte[] children;
  private int size;
  private int count;
  private int index;
  private Batch.Bound startBound;
  private int startIndex = -1;
  private int secondStartIndex = -1;
  private Batch.Bound endBound;

  // The type of the entry being scanned, and its timestamp in nanoseconds.
  private long type;
  private long key;

  // The entry's additional members, which an EVENT keeps, each after a comma. They are written to
  // children from size to membersEnd, and moved once the length of the child's head is known. The
  // last span, from pendingFrom to pendingTo in the message, is not copied yet as it may grow.
  private int membersEnd;
  private int pendingFrom;
  private int pendingTo;

  /**
   * Hash table of the offsets in the message of additional members' names; null before the first.
   * Offsets before the current entry belong to earlier entries, so their slots are free.
   */
  private int[] names;

  private EntryScanner(byte[] message, int offset, int length, String sessionId) {
    super(message, offset, length);
    this.sessionId = sessionId;
    // No child is longer than its entry: the 28 bytes that it omits are more than its header. Words
    // may be written past the end of the children.
    this.children = new byte[length + 2 * Long.BYTES];
  }

  /**
   * Returns the message's entries, or null if it does not have a common shape.
   *
   * @param bytes the array that holds the message, which is known to be valid UTF-8
   * @param sessionId a valid id (see {@link SessionId}), so nothing in it needs an escape
   */
  static Batch scan(byte[] bytes, int offset, int length, String sessionId) {
    try {
      return new EntryScanner(bytes, offset, length, sessionId).message(offset);
    } catch (Unusual e) {
      return null;
    }
  }

  private Batch message(int from) throws Unusual {
    int i = space(from);
    require(at(i) == '[');
    do {
      i = space(i + 1);
      require(at(i) == '{' && endBound == null);
      i = space(entry(i));
      index++;
    } while (at(i) == ',');
    require(at(i) == ']' && space(i + 1) == end);
    return new Batch(
        Arrays.copyOf(children, size), count, startBound, startIndex, secondStartIndex, endBound);
  }

  private int entry(int from) throws Unusual {
    int timestampFrom = 0;
    int timestampTo = 0;
    int nameFrom = 0;
    int nameTo = 0;
    boolean ofSession = false;
    type = 0;
    membersEnd = size;
    pendingFrom = pendingTo = 0;
    int i = from;
    do {
      int member = space(i + 1);
      require(at(member) == '"');
      long name = word(member + 1);
      if (first(5, name) == TYPE) {
        require(type == 0);
        i = type(colon(member + 6));
      } else if (first(5, name) == NAME) {
        require(nameFrom == 0);
        nameFrom = colon(member + 6);
        i = nameTo = string(nameFrom);
      } else if (name == TIMESTAMP_1 && first(2, word(member + 9)) == TIMESTAMP_2) {
        require(timestampFrom == 0);
        timestampFrom = colon(member + 11);
        i = timestampTo = timestamp(timestampFrom);
      } else if (name == SESSION_ID_1 && first(3, word(member + 9)) == SESSION_ID_2) {
        require(!ofSession);
        i = ownSessionId(colon(member + 12));
        ofSession = true;
      } else {
        i = additionalMember(member, from);
      }
      i = space(i);
    } while (at(i) == ',');
    require(at(i) == '}' && type != 0 && timestampFrom != 0);
    if (type == EVENT) {
      require(nameTo - nameFrom > 2);
      child(timestampFrom, timestampTo, nameFrom, nameTo);
    } else {
      require(ofSession);
      bound(timestampFrom, timestampTo);
    }
    return i + 1;
  }

  private void child(int timestampFrom, int timestampTo, int nameFrom, int nameTo) {
    membersEnd = copySpan(membersEnd, pendingFrom, pendingTo);
    int members = membersEnd - size;
    int timestamp = size + Children.HEADER_BYTES;
    int name = timestamp + (timestampTo - timestampFrom) + Long.BYTES;
    int rest = name + (nameTo - nameFrom);
    if (members > 0) {
      System.arraycopy(children, size, children, rest, members);
    }
    Children.putHeader(children, size, key, rest + members + 1 - size - Children.HEADER_BYTES);
    copySpan(timestamp, timestampFrom, timestampTo);
    WORD.set(children, name - Long.BYTES, BEFORE_NAME);
    System.arraycopy(message, nameFrom, children, name, nameTo - nameFrom);
    children[rest + members] = '}';
    size = rest + members + 1;
    count++;
  }

  private void bound(int timestampFrom, int timestampTo) {
    if (type == START && startBound != null) {
      if (startBound.key() != key && secondStartIndex < 0) {
        secondStartIndex = index;
      }
      return;
    }
    var bound =
        new Batch.Bound(
            key,
            new String(
                message, timestampFrom, timestampTo - timestampFrom, StandardCharsets.US_ASCII));
    if (type == START) {
      startBound = bound;
      startIndex = index;
    } else {
      endBound = bound;
    }
  }

  private int type(int from) throws Unusual {
    if (first(7, word(from)) == EVENT) {
      type = EVENT;
      return from + 7;
    }
    require(word(from) == SESSION);
    int rest = from + Long.BYTES;
    if (first(7, word(rest)) == START) {
      type = START;
      return rest + 7;
    }
    type = END;
    return literal(rest, 5, END);
  }

  private int timestamp(int from) throws Unusual {
    int to = number(from);
    key = Timestamp.nanos(message, from, to);
    require(key >= 0);
    return to;
  }

  private int ownSessionId(int from) throws Unusual {
    int to = from + 1 + sessionId.length();
    require(at(from) == '"' && at(to) == '"');
    for (int i = from + 1; i < to; i++) {
      require(message[i] == sessionId.charAt(i - from - 1));
    }
    return to + 1;
  }

  /** Scans a kept member of the entry that begins at {@code entry}. */
  private int additionalMember(int from, int entry) throws Unusual {
    int i = name(from);
    unique(from, i, entry);
    if (pendingTo != from - 1) { // else the last span grows: only a comma is between them
      membersEnd = copySpan(membersEnd, pendingFrom, pendingTo);
      children[membersEnd++] = ',';
      pendingFrom = from;
    }
    i = gap(i);
    require(at(i) == ':');
    pendingTo = value(gap(i + 1), ENTRY_LEVEL);
    return pendingTo;
  }

  /** Requires that no earlier member of the entry has this name, which includes its quotes. */
  private void unique(int from, int to, int entry) throws Unusual {
    if (names == null) {
      int half = Math.min((end - entry) / 8, MAX_SLOTS / 2);
      names = new int[2 * Integer.highestOneBit(half | 8)];
    }
    int hash = hash(from, to);
    for (int probe = 0; probe < MAX_PROBES; probe++) {
      int slot = (hash + probe) & (names.length - 1);
      int other = names[slot];
      if (other < entry) {
        names[slot] = from;
        return;
      }
      require(!Arrays.equals(message, other, other + to - from, message, from, to));
    }
    throw new Unusual();
  }

  private int hash(int from, int to) {
    long hash = 0;
    for (int i = from; i < to; i += Long.BYTES) {
      hash = (hash ^ first(Math.min(to - i, Long.BYTES), word(i))) * 0x9e3779b97f4a7c15L;
      hash ^= hash >>> 32;
    }
    return (int) hash;
  }

  /** Scans a kept value inside an entry, object or array of that nesting level. */
  private int value(int from, int level) throws Unusual {
    return switch (at(from)) {
      case '"' -> string(from);
      case '{', '[' -> container(from, level + 1);
      case 't' -> literal(from, 4, TRUE);
      case 'f' -> literal(from, 5, FALSE);
      case 'n' -> literal(from, 4, NULL);
      default -> number(from);
    };
  }

  /** Scans a kept object or array. Recursion is bounded by {@link MessageParser#MAX_DEPTH}. */
  private int container(int from, int level) throws Unusual {
    require(level <= MessageParser.MAX_DEPTH);
    boolean object = message[from] == '{';
    int close = object ? '}' : ']';
    int i = gap(from + 1);
    if (at(i) == close) {
      return i + 1;
    }
    while (true) {
      if (object) {
        i = gap(name(i));
        require(at(i) == ':');
        i = gap(i + 1);
      }
      i = gap(value(i, level));
      if (at(i) == close) {
        return i + 1;
      }
      require(at(i) == ',');
      i = gap(i + 1);
    }
  }

  /** Skips white space, which is not kept. */
  private int gap(int from) {
    int to = space(from);
    if (to > from) {
      membersEnd = copySpan(membersEnd, pendingFrom, from);
      pendingFrom = to;
    }
    return to;
  }

  /** Copies a span of the message to {@code children}, and returns the end offset of the copy. */
  private int copySpan(int at, int from, int to) {
    Words.copy(message, from, children, at, to - from);
    return at + to - from;
  }
}
