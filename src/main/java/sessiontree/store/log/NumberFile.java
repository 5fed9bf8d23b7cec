package sessiontree.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A file that holds one number: 8 bytes, then their checksum in 4. */
public final class NumberFile {
  private static final int BYTES = Long.BYTES + Integer.BYTES;

  private NumberFile() {}

  /**
   * Reads the number.
   *
   * @throws java.nio.file.NoSuchFileException if there is no such file
   * @throws DamageException if the file does not hold what was written
   */
  public static long read(Disk disk, Path file) throws IOException {
    try (Disk.DiskFile from = disk.open(file)) {
      ByteBuffer content = ByteBuffer.allocate(BYTES);
      from.read(content, 0);
      int expected = Checksum.of(content.array(), 0, Long.BYTES);
      int actual = content.getInt(Long.BYTES);
      if (actual != expected) {
        throw new DamageException(
            file,
            String.format(
                "checksum mismatch at offset 0: expected %08x, got %08x", expected, actual));
      }
      return content.getLong(0);
    }
  }

  /** Writes the number to {@code temporary}, forced or not, and renames that to {@code file}. */
  public static void write(Disk disk, Path file, Path temporary, long number, boolean forced)
      throws IOException {
    try (Disk.DiskFile to = disk.create(temporary)) {
      ByteBuffer content = ByteBuffer.allocate(BYTES).putLong(number);
      to.write(content.putInt(Checksum.of(content.array(), 0, Long.BYTES)).rewind(), 0);
      if (forced) {
        to.force();
      }
    }
    disk.rename(temporary, file);
  }
}
