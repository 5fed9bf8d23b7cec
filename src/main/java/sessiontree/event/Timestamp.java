package sessiontree.event;

import java.util.Arrays;

/**
 * Converts UNIX epoch seconds, a JSON number that a client sent, to the nanoseconds by which
 * entries are ordered. Digits beyond nanoseconds are ignored.
 */
final class Timestamp {
  /** Exclusive bound of timestamps, in the year 2262: their nanoseconds fit into a long. */
  static final long LIMIT_SECONDS = 9_223_372_036L;

  /**
   * Digits before the point from which a number looks like milliseconds: 100000000000 of them were
   * in March 1973. Microseconds of that time have three more digits, and nanoseconds six more.
   */
  private static final int MILLIS_DIGITS = 12;

  /** Result for a number that is negative, or too large. */
  static final long OUT_OF_RANGE = -1;

  /** Result for a number that is too large, and looks like milliseconds. */
  static final long LOOKS_LIKE_MILLIS = -2;

  /** Result for a number that is too large, and looks like microseconds. */
  static final long LOOKS_LIKE_MICROS = -3;

  /** Result for a number that is too large, and looks like nanoseconds. */
  static final long LOOKS_LIKE_NANOS = -4;

  private static final int NANO_DIGITS = 9;

  private static final long[] POWERS_OF_TEN = {
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000
  };

  private Timestamp() {}

  /**
   * Returns the nanoseconds, or one of the negative values above. The cost depends on the number's
   * length, not on its exponent.
   *
   * @param number the array that holds a well-formed JSON number, from {@code from} to {@code to}
   */
  static long nanos(byte[] number, int from, int to) {
    long nanos = plainNanos(number, from, to);
    if (nanos >= 0) {
      return nanos;
    }
    int i = from;
    boolean negative = number[i] == '-';
    if (negative) {
      i++;
    }
    byte[] digits = new byte[to - i];
    int count = 0;
    int point = 0; // digits before the decimal point
    boolean fraction = false;
    for (; i < to; i++) {
      byte b = number[i];
      if (b == '.') {
        fraction = true;
      } else if (b >= '0' && b <= '9') {
        if (count > 0 || b != '0') {
          digits[count++] = (byte) (b - '0');
          point += fraction ? 0 : 1;
        } else if (fraction) {
          point--;
        }
      } else {
        break;
      }
    }
    if (count == 0) {
      return 0;
    }
    if (negative) {
      return OUT_OF_RANGE;
    }
    long exponent = point + (i < to ? exponent(number, i + 1, to) : 0);
    if (exponent >= MILLIS_DIGITS) { // and the first digit is not zero
      return exponent < MILLIS_DIGITS + 3
          ? LOOKS_LIKE_MILLIS
          : exponent < MILLIS_DIGITS + 6 ? LOOKS_LIKE_MICROS : LOOKS_LIKE_NANOS;
    }
    long value = scaled(digits, count, (int) Math.max(exponent, -NANO_DIGITS) + NANO_DIGITS);
    if (value < LIMIT_SECONDS * 1_000_000_000L && value >= 0) {
      return value;
    }
    return OUT_OF_RANGE;
  }

  /**
   * Parses the common form: digits with or without a decimal point, at most ten before it and nine
   * after it. Returns a negative number for other forms, and if it is out of range.
   */
  private static long plainNanos(byte[] number, int from, int to) {
    long value = 0;
    int point = to;
    for (int i = from; i < to; i++) {
      int digit = number[i] - '0';
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
      } else if (number[i] == '.') {
        point = i;
      } else {
        return -1;
      }
    }
    int decimals = Math.max(0, to - point - 1);
    if (point - from > 10 || decimals > NANO_DIGITS) {
      return -1;
    }
    long nanos = value * POWERS_OF_TEN[NANO_DIGITS - decimals]; // below 10^19: negative on overflow
    return nanos < LIMIT_SECONDS * 1_000_000_000L ? nanos : -1;
  }

  /** Returns the first {@code take} digits, zero-padded, as a number; negative on overflow. */
  private static long scaled(byte[] digits, int count, int take) {
    byte[] taken = Arrays.copyOf(Arrays.copyOf(digits, Math.min(count, take)), take);
    long value = 0;
    for (byte digit : taken) {
      if (value > (Long.MAX_VALUE - digit) / 10) {
        return -1;
      }
      value = value * 10 + digit;
    }
    return value;
  }

  /** Returns the exponent, saturated far above the values that matter. */
  private static long exponent(byte[] number, int from, int to) {
    int i = from;
    boolean negative = number[i] == '-';
    if (number[i] == '-' || number[i] == '+') {
      i++;
    }
    long value = 0;
    for (; i < to; i++) {
      value = Math.min(value * 10 + (number[i] - '0'), 1_000_000_000_000L);
    }
    return negative ? -value : value;
  }

  /**
   * Returns why a number is no timestamp.
   *
   * @param result the negative result of {@link #nanos}
   */
  static String problem(long result, String number) {
    if (result == OUT_OF_RANGE) {
      return "a timestamp is at least 0 and less than "
          + LIMIT_SECONDS
          + " seconds since 1970; got "
          + number;
    }
    String unit =
        result == LOOKS_LIKE_MILLIS
            ? "milliseconds: divide it by 1000"
            : result == LOOKS_LIKE_MICROS
                ? "microseconds: divide it by 1000000"
                : "nanoseconds: divide it by 1000000000";
    return "a timestamp is in seconds since 1970; " + number + " looks like " + unit;
  }
}
