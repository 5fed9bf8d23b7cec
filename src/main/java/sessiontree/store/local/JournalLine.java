package sessiontree.store.local;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import sessiontree.store.log.Checksum;

/**
 * A line of the {@link Journal}: a session that completed. As text, for people too: {@code 84213
 * 2026-03-01T09:12:44.021337Z 1234 cart-17 1f63b9d2}, the last word a checksum of those before it.
 *
 * @param millis when it ended, as {@link RunningTime} counts
 * @param completed when that was by the clock (RFC 3339)
 * @param lsn the number of the log record that ended it; 0 for a session that an earlier version
 *     completed
 */
record JournalLine(long millis, String completed, long lsn, String id) {

  static JournalLine of(long millis, long epochMicros, long lsn, String id) {
    Instant completed = Instant.EPOCH.plus(epochMicros, ChronoUnit.MICROS);
    return new JournalLine(millis, completed.toString(), lsn, id);
  }

  byte[] bytes() {
    String text = millis + " " + completed + " " + lsn + " " + id;
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    int crc = Checksum.of(bytes, 0, bytes.length);
    String line = text + " " + HexFormat.of().toHexDigits(crc) + "\n";
    return line.getBytes(StandardCharsets.US_ASCII);
  }

  /** Reads a line without its end; null if it is not what was written. */
  static JournalLine read(byte[] bytes, int from, int to) {
    String[] words = new String(bytes, from, to - from, StandardCharsets.US_ASCII).split(" ", -1);
    if (words.length != 5) {
      return null;
    }
    int textBytes = to - from - words[4].length() - 1;
    try {
      return Integer.parseUnsignedInt(words[4], 16) == Checksum.of(bytes, from, textBytes)
          ? new JournalLine(Long.parseLong(words[0]), words[1], Long.parseLong(words[2]), words[3])
          : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
