package sessiontree.store.local;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.store.log.Checksum;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;

/** Writes a {@link RunFile}, session by session. Not thread-safe. */
final class RunWriter implements AutoCloseable {
  private static final int BUFFER_BYTES = 256 << 10;

  /** Bytes between two forces. The log's forces queue behind them, and must not wait long. */
  private static final int FORCED_BYTES = 4 << 20;

  private static final int COPIED_BYTES = 64 << 10;

  private final Disk.DiskFile file;
  private final byte[] buffer = new byte[BUFFER_BYTES];
  private final ByteArrayOutputStream index = new ByteArrayOutputStream();
  private final CRC32C crc = new CRC32C();
  private int used;
  private int checksummed; // buffer offset up to which bytes are in the checksum
  private long position;
  private long forced; // file offset up to which bytes are durable
  private long sessions;

  /**
   * Begins a file.
   *
   * @param merged whether it replaces all files with lower numbers
   */
  RunWriter(Disk.DiskFile file, long number, boolean merged) {
    this.file = file;
    ByteBuffer header = ByteBuffer.wrap(buffer);
    header
        .put(RunFile.FORMAT.getBytes(StandardCharsets.US_ASCII))
        .putLong(number)
        .putInt(merged ? 1 : 0);
    header
        .position(RunFile.HEADER_BYTES - 4)
        .putInt(Checksum.of(buffer, 0, RunFile.HEADER_BYTES - 4));
    used = RunFile.HEADER_BYTES;
  }

  /** Adds a session's children; returns its entry with their location. */
  RunEntry add(RunEntry state, Cursor children) throws IOException {
    long offset = position + used;
    int count = 0;
    begin();
    try {
      while (children.next()) {
        byte[] child = children.array();
        int length = children.length();
        if (BUFFER_BYTES - used < Children.HEADER_BYTES) {
          flush();
        }
        Children.putHeader(buffer, used, children.key(), length);
        used += Children.HEADER_BYTES;
        put(child, children.offset(), length);
        count++;
      }
    } catch (DamageException e) { // the next children overwrite what was written
      used = (int) Math.max(0, offset - position);
      position = Math.min(position, offset);
      throw e;
    }
    updateChecksum();
    return addToIndex(state, offset, count, (int) crc.getValue());
  }

  /**
   * Adds a session with a damaged region: copies all bytes as they are, and stores a wrong
   * checksum, so that every reader finds the damage. The copy is at least as long as what {@link
   * #add} may have written of the session before.
   */
  RunEntry addDamaged(RunEntry state, List<Region> regions) throws IOException {
    long offset = position + used;
    int count = 0;
    begin();
    byte[] part = new byte[COPIED_BYTES];
    for (Region region : regions) {
      count += region.count();
      for (long at = 0; at < region.length(); at += part.length) {
        int length = (int) Math.min(part.length, region.length() - at);
        Arrays.fill(part, (byte) 0); // in case the file ends early
        region.file().read(ByteBuffer.wrap(part, 0, length), region.offset() + at);
        put(part, 0, length);
      }
    }
    updateChecksum();
    return addToIndex(state, offset, count, ~(int) crc.getValue());
  }

  private void begin() {
    crc.reset();
    checksummed = used;
  }

  private RunEntry addToIndex(RunEntry state, long offset, int count, int checksum) {
    RunEntry entry = state.at(offset, position + used - offset, count, checksum);
    index.writeBytes(entry.bytes());
    sessions++;
    return entry;
  }

  private void put(byte[] bytes, int offset, int length) throws IOException {
    for (int i = 0; i < length; ) {
      int n = Math.min(length - i, BUFFER_BYTES - used);
      System.arraycopy(bytes, offset + i, buffer, used, n);
      used += n;
      i += n;
      if (used == BUFFER_BYTES) {
        flush();
      }
    }
  }

  private void updateChecksum() {
    crc.update(buffer, checksummed, used - checksummed);
    checksummed = used;
  }

  private void flush() throws IOException {
    updateChecksum();
    file.write(ByteBuffer.wrap(buffer, 0, used), position);
    position += used;
    used = 0;
    checksummed = 0;
    if (position - forced >= FORCED_BYTES) {
      file.force();
      forced = position;
    }
  }

  /** Writes the index and makes the file durable. */
  void finish() throws IOException {
    long indexOffset = position + used;
    byte[] bytes = index.toByteArray();
    put(bytes, 0, bytes.length);
    flush();
    ByteBuffer footer = ByteBuffer.wrap(buffer, 0, RunFile.FOOTER_BYTES);
    footer
        .putLong(indexOffset)
        .putLong(sessions)
        .putInt(Checksum.of(bytes, 0, bytes.length))
        .putLong(0);
    footer.putInt(Checksum.of(buffer, 0, RunFile.FOOTER_BYTES - 4));
    used = RunFile.FOOTER_BYTES;
    flush();
    file.force();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
