package sessiontree.store.local;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import sessiontree.store.log.Checksum;

/**
 * A line of the {@link Journal}: a session was begun or completed. It is text for people too, such
 * as {@code 2026-03-01T09:12:44.021337Z begun 1234 84213 cart-17 1f63b9d2}, where the last word is
 * a checksum of those before it.
 *
 * @param time the wall-clock time (RFC 3339), always with six decimals of a second, so that it
 *     sorts as text
 * @param begun false if the session was completed
 * @param lsn the LSN of its log record; for a session of an earlier version, that of the log's last
 *     record when the journal was begun
 * @param millis the same moment in milliseconds of {@link RunningTime}
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

  /** Returns the session's position in the order of pages, which no other session has. */
  String position() {
    return position(time, id);
  }

  static String position(String time, String id) {
    return time + " " + id;
  }

  /** Returns the time in a position. */
  static String timeOf(String position) {
    return position.substring(0, position.indexOf(' '));
  }

  byte[] bytes() {
    String text = time + (begun ? " begun " : " completed ") + lsn + " " + millis + " " + id;
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    int crc = Checksum.of(bytes, 0, bytes.length);
    String line = text + " " + HexFormat.of().toHexDigits(crc) + "\n";
    return line.getBytes(StandardCharsets.US_ASCII);
  }

  /** Returns the valid lines of a file. Ignores a last line without a line break. */
  static List<JournalLine> parse(byte[] file) {
    List<JournalLine> lines = new ArrayList<>();
    for (int from = 0, at = 0; at < file.length; at++) {
      if (file[at] == '\n') {
        JournalLine line = parse(file, from, at);
        if (line != null) {
          lines.add(line);
        }
        from = at + 1;
      }
    }
    return lines;
  }

  /** Parses a line without its line break; returns null if it is invalid. */
  private static JournalLine parse(byte[] bytes, int from, int to) {
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
