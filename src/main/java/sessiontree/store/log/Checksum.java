package sessiontree.store.log;

import java.util.zip.CRC32C;

/** The checksum of everything that the store writes: CRC32C. */
public final class Checksum {
  private Checksum() {}

  /** Returns the checksum of {@code length} bytes from {@code offset}. */
  public static int of(byte[] bytes, int offset, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }
}
