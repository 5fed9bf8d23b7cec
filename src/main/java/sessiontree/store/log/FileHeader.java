package sessiontree.store.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** How files of the log and of runs begin: 16 characters of format, fields, a checksum of both. */
public final class FileHeader {
  public static final int FORMAT_BYTES = 16;

  private FileHeader() {}

  /** Whether it is whole. */
  static boolean isSound(byte[] header, int checksumAt) {
    return checksum(header, checksumAt) == Checksum.of(header, 0, checksumAt);
  }

  private static int checksum(byte[] header, int checksumAt) {
    return ByteBuffer.wrap(header).getInt(checksumAt);
  }

  /**
   * Checks that it is of that format, first, as the format says where its checksum stands; and
   * whole.
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
    if (!isSound(header, checksumAt)) {
      throw new DamageException(
          path,
          String.format(
              "checksum mismatch at offset 0: expected %08x, got %08x",
              Checksum.of(header, 0, checksumAt), checksum(header, checksumAt)));
    }
  }
}
