package sessiontree.event;

import static sessiontree.event.Words.WORD;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A scanner for the tokens of strict JSON (RFC 8259) in a message's bytes. Each method named after
 * a token takes the offset where the token must begin, checks all of it, and returns its end
 * offset; it throws {@link Unusual} for anything else, and for tokens left to a slower parser.
 *
 * <p>Strings are checked eight bytes at a time. The bytes are already known to be valid UTF-8.
 */
abstract class JsonScanner {
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGHEST = 0x8080808080808080L;

  /** Thrown for a message that is left to a slower parser. */
  static final class Unusual extends Exception {
    private static final long serialVersionUID = 1;

    Unusual() {
      super(null, null, false, false);
    }
  }

  final byte[] message;
  final int end;

  JsonScanner(byte[] message, int offset, int length) {
    this.message = message;
    this.end = offset + length;
  }

  /** Returns the byte at an offset; past the message's end it is 0, with which no token begins. */
  final byte at(int i) {
    return i < end ? message[i] : 0;
  }

  /** Returns the eight bytes at an offset; those past the message's end are 0. */
  final long word(int i) {
    if (end - i >= Long.BYTES) {
      return (long) WORD.get(message, i);
    }
    long word = 0;
    for (int k = end - 1; k >= i; k--) {
      word = (word << Byte.SIZE) | (message[k] & 0xff);
    }
    return word;
  }

  static long word(String ascii) {
    byte[] bytes = Arrays.copyOf(ascii.getBytes(StandardCharsets.US_ASCII), Long.BYTES);
    return (long) WORD.get(bytes, 0);
  }

  /** Returns the first bytes of a word, 1 to 8 of them. */
  static long first(int bytes, long word) {
    return word & (-1L >>> (Byte.SIZE * (Long.BYTES - bytes)));
  }

  static void require(boolean usual) throws Unusual {
    if (!usual) {
      throw new Unusual();
    }
  }

  /** Scans a colon with white space around it. */
  final int colon(int from) throws Unusual {
    int i = space(from);
    require(at(i) == ':');
    return space(i + 1);
  }

  final int space(int from) {
    int i = from;
    for (byte b; (b = at(i)) <= ' ' && (b == ' ' || b == '\n' || b == '\r' || b == '\t'); ) {
      i++;
    }
    return i;
  }

  final int literal(int from, int length, long text) throws Unusual {
    require(first(length, word(from)) == text);
    return from + length;
  }

  /** Scans a member's name without escapes: Jackson is choosy about surrogates in names. */
  final int name(int from) throws Unusual {
    require(at(from) == '"');
    int to = plain(from + 1);
    require(at(to) == '"');
    return to + 1;
  }

  final int string(int from) throws Unusual {
    require(at(from) == '"');
    int i = plain(from + 1);
    while (at(i) != '"') {
      i = plain(escape(i));
    }
    return i + 1;
  }

  /** Skips a string's characters up to the next quote, backslash or control character. */
  private int plain(int from) {
    for (int i = from; ; i += Long.BYTES) {
      long stops = stops(word(i));
      if (stops != 0) {
        return i + Long.numberOfTrailingZeros(stops) / Byte.SIZE;
      }
    }
  }

  /**
   * Returns the highest bits of the bytes that are a quote, a backslash or a control character.
   * Only the lowest set bit is reliable, because a borrow may set others above it.
   */
  private static long stops(long word) {
    long quote = word ^ '"' * ONES;
    long backslash = word ^ '\\' * ONES;
    long control = (word - ' ' * ONES) & ~word;
    return (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) | control) & HIGHEST;
  }

  private int escape(int from) throws Unusual {
    require(at(from) == '\\');
    if (at(from + 1) != 'u') {
      require("\"\\/bfnrt".indexOf(at(from + 1)) >= 0);
      return from + 2;
    }
    for (int i = from + 2; i < from + 6; i++) {
      require(Character.digit(at(i), 16) >= 0);
    }
    return from + 6;
  }

  final int number(int from) throws Unusual {
    int i = at(from) == '-' ? from + 1 : from;
    i = at(i) == '0' ? i + 1 : digits(i);
    if (at(i) == '.') {
      i = digits(i + 1);
    }
    if (at(i) == 'e' || at(i) == 'E') {
      i++;
      i = digits(at(i) == '+' || at(i) == '-' ? i + 1 : i);
    }
    require(i - from <= MessageParser.MAX_NUMBER_LENGTH);
    return i;
  }

  /** Scans one or more digits. */
  private int digits(int from) throws Unusual {
    int i = from;
    while (at(i) >= '0' && at(i) <= '9') {
      i++;
    }
    require(i > from);
    return i;
  }
}
