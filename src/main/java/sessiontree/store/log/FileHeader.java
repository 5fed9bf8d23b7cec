package sessiontree.store.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The header of log and run files: 16 characters of format, fields, and a checksum of both. */
public final class FileHeader {
  public static final int FORMAT_BYTES = 16;

  private FileHeader() {}

  /** Returns whether the checksum matches. */
  static boolean checksumMatches(byte[] header, int checksumAt) {
    return checksum(header, checksumAt) == Checksum.of(header, 0, checksumAt);
  }

  private static int checksum(byte[] header, int checksumAt) {
    return ByteBuffer.wrap(header).getInt(checksumAt);
  }

  /**
   * Checks the format and then the checksum; in this order, as the format determines where the
   * checksum is.
   */
  public static void check(Path path, byte[] header, int checksumAt, String format)
      throws DamageException {
    String actual = new String(header, 0, FORMAT_BYTES, StandardCharsets.US_ASCII);
    if (!actual.equals(format)) {
      throw new DamageException(
          path,
          "at offset 0: expected format "
              + format
              + ", got "
              + actual
              + ": another version of sessiontree wrote it, or it is damaged");
    }
    if (!checksumMatches(header, checksumAt)) {
      throw new DamageException(
          path,
          String.format(
              "checksum mismatch at offset 0: expected %08x, got %08x",
              Checksum.of(header, 0, checksumAt), checksum(header, checksumAt)));
    }
  }
}
