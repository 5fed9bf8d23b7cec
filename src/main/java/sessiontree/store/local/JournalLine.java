package sessiontree.store.local;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.Locale;
import sessiontree.store.log.Checksum;

/**
 * A line of the {@link Journal}: a session that was begun, or completed. As text, for people too:
 * {@code 2026-03-01T09:12:44.021337Z begun 1234 84213 cart-17 1f63b9d2}, the last word a checksum
 * of those before it.
 *
 * @param time when that was by the clock (RFC 3339), always with six digits after the second: the
 *     order of the texts is that of the times
 * @param begun or completed
 * @param lsn the number of the log record that did it; 0 of an earlier version's
 * @param millis the same time, as {@link RunningTime} counts
 */
record JournalLine(String time, boolean begun, long lsn, long millis, String id) {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  static JournalLine begun(long epochMicros, long lsn, long millis, String id) {
    return new JournalLine(time(epochMicros), true, lsn, millis, id);
  }

  static JournalLine completed(long epochMicros, long lsn, long millis, String id) {
    return new JournalLine(time(epochMicros), false, lsn, millis, id);
  }

  static String time(long epochMicros) {
    return time(Instant.EPOCH.plus(epochMicros, ChronoUnit.MICROS));
  }

  static String time(Instant instant) {
    return TIME.format(instant);
  }

  static long micros(String time) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.parse(time));
  }

  /** Where its session stands in the order of pages: no other has the same. */
  String position() {
    return position(time, id);
  }

  static String position(String time, String id) {
    return time + " " + id;
  }

  byte[] bytes() {
    String text = time + (begun ? " begun " : " completed ") + lsn + " " + millis + " " + id;
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    int crc = Checksum.of(bytes, 0, bytes.length);
    String line = text + " " + HexFormat.of().toHexDigits(crc) + "\n";
    return line.getBytes(StandardCharsets.US_ASCII);
  }

  /** Reads a line without its end; null if it is not what was written. */
  static JournalLine read(byte[] bytes, int from, int to) {
    String[] words = new String(bytes, from, to - from, StandardCharsets.US_ASCII).split(" ", -1);
    if (words.length != 6) {
      return null;
    }
    int textBytes = to - from - words[5].length() - 1;
    try {
      return Integer.parseUnsignedInt(words[5], 16) == Checksum.of(bytes, from, textBytes)
          ? new JournalLine(
              words[0],
              words[1].equals("begun"),
              Long.parseLong(words[2]),
              Long.parseLong(words[3]),
              words[4])
          : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
