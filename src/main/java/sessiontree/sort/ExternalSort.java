package sessiontree.sort;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import sessiontree.event.Children;

/**
 * Sorts the children of one session in bounded memory: spills sorted runs to temporary files, and
 * merges every 32 runs of a level into one. Not safe for several threads.
 */
public final class ExternalSort implements Closeable {
  private static final int FAN_IN = 32;
  private static final int BUFFER_BYTES = 16 << 10;

  /** A sorted file; a run of level n holds 32 runs of the level below. */
  private record Run(Path file, int level) {}

  private final Path folder;
  private final long memoryBytes;
  private final List<Run> runs = new ArrayList<>(); // the oldest first
  private final List<Closeable> open = new ArrayList<>();
  private SessionBuffer buffer = new SessionBuffer();
  private long count;
  private long bytes;

  /**
   * Creates a sort without children.
   *
   * @param folder the folder for temporary files
   * @param memoryBytes maximum bytes of children in memory, besides one added array
   */
  public ExternalSort(Path folder, long memoryBytes) {
    this.folder = folder;
    this.memoryBytes = memoryBytes;
  }

  /** Adds children after the earlier ones; the array is kept. */
  public void add(byte[] children, int many) throws IOException {
    if (buffer.count() > 0 && buffer.allocated() + children.length > memoryBytes) {
      spill();
    }
    buffer.add(children, many);
    count += many;
    bytes += children.length;
  }

  public long count() {
    return count;
  }

  /** Returns the bytes of all children, their headers included. */
  public long bytes() {
    return bytes;
  }

  private void spill() throws IOException {
    runs.add(new Run(write(buffer.sorted()), 0));
    buffer = new SessionBuffer();
    while (runs.size() >= FAN_IN && runs.get(runs.size() - FAN_IN).level == last().level) {
      List<Run> merged = runs.subList(runs.size() - FAN_IN, runs.size());
      Run run = new Run(write(MergeIterator.of(cursors(merged))), last().level + 1);
      closeAll();
      for (Run one : merged) {
        Files.delete(one.file);
      }
      merged.clear();
      runs.add(run);
    }
  }

  private Run last() {
    return runs.get(runs.size() - 1);
  }

  private Path write(Cursor sorted) throws IOException {
    Path file = Files.createTempFile(folder, "sessiontree-", ".run");
    byte[] header = new byte[Children.HEADER_BYTES];
    try (OutputStream out =
        new BufferedOutputStream(Files.newOutputStream(file), 4 * BUFFER_BYTES)) {
      while (sorted.next()) {
        byte[] array = sorted.array();
        Children.putHeader(header, 0, sorted.key(), sorted.length());
        out.write(header);
        out.write(array, sorted.offset(), sorted.length());
      }
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(file);
      throw e;
    }
    return file;
  }

  private List<Cursor> cursors(List<Run> of) throws IOException {
    List<Cursor> cursors = new ArrayList<>();
    for (Run run : of) {
      cursors.add(new RunCursor(run.file));
    }
    return cursors;
  }

  /** Returns the children in order. Nothing may be added after this. */
  public Cursor sorted() throws IOException {
    List<Cursor> cursors = cursors(runs);
    cursors.add(buffer.sorted());
    return MergeIterator.of(cursors);
  }

  private void closeAll() throws IOException {
    for (Closeable one : open) {
      one.close();
    }
    open.clear();
  }

  /** Deletes the temporary files. */
  @Override
  public void close() throws IOException {
    closeAll();
    for (Run run : runs) {
      Files.deleteIfExists(run.file);
    }
    runs.clear();
  }

  private final class RunCursor implements Cursor {
    private final DataInputStream in;
    private byte[] text = new byte[256];
    private long key;
    private int length;

    RunCursor(Path file) throws IOException {
      in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file), BUFFER_BYTES));
      open.add(in);
    }

    @Override
    public boolean next() throws IOException {
      try {
        key = in.readLong();
      } catch (EOFException e) {
        return false;
      }
      length = in.readInt();
      if (length > text.length) {
        text = new byte[Math.max(length, Math.min(2 * text.length, 1 << 20))];
      }
      in.readFully(text, 0, length);
      return true;
    }

    @Override
    public long key() {
      return key;
    }

    @Override
    public byte[] array() {
      return text;
    }

    @Override
    public int offset() {
      return 0;
    }

    @Override
    public int length() {
      return length;
    }
  }
}
