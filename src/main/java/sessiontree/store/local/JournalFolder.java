package sessiontree.store.local;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * The files of a {@link Journal}, each named after a time. Safe for several threads, but only one
 * at a time writes a file.
 */
final class JournalFolder {
  /** A file name: a time without dashes and colons; some file systems do not allow colons. */
  private static final Pattern NAME =
      Pattern.compile("(\\d{4})(\\d\\d)(\\d\\dT\\d\\d)(\\d\\d)(\\d\\d\\.\\d{6}Z)\\.txt");

  private static final int BUFFER_BYTES = 64 << 10;

  private final Disk disk;
  private final Path directory;
  private final Path temporary;
  private final NavigableSet<String> names = new ConcurrentSkipListSet<>();

  JournalFolder(Disk disk, Path directory, Path temporary) {
    this.disk = disk;
    this.directory = directory;
    this.temporary = temporary;
  }

  /** Finds the existing files. */
  void list() throws IOException {
    for (Path file : disk.list(directory)) {
      Matcher name = NAME.matcher(file.getFileName().toString());
      if (name.matches()) {
        names.add(name.replaceFirst("$1-$2-$3:$4:$5"));
      }
    }
  }

  /** Returns the files' times, in order. */
  NavigableSet<String> names() {
    return names;
  }

  private Path path(String name) {
    return directory.resolve(name.replaceAll("[-:]", "") + ".txt");
  }

  /** Deletes all files: those of another format, or of a start that was interrupted. */
  void clear() throws IOException {
    for (Path left : disk.list(directory)) {
      disk.delete(left);
    }
    names.clear();
  }

  /** Returns the valid lines in the first {@code limit} bytes of a file; none if it is gone. */
  List<JournalLine> lines(String name, long limit) throws IOException {
    try (Disk.DiskFile from = disk.open(path(name))) {
      ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(limit, from.size()));
      from.read(bytes, 0);
      return JournalLine.parse(bytes.array());
    } catch (NoSuchFileException e) {
      return List.of();
    }
  }

  /** Writes a file, forces it and renames it, not yet durably, into place. Returns its length. */
  long write(String name, List<JournalLine> lines) throws IOException {
    Path written = temporary.resolve(path(name).getFileName());
    long bytes;
    try (DiskStreams.Output out = new DiskStreams.Output(disk.create(written));
        OutputStream to = new BufferedOutputStream(out, BUFFER_BYTES)) {
      for (JournalLine line : lines) {
        to.write(line.bytes());
      }
      to.flush();
      out.force();
      bytes = out.position();
    }
    disk.rename(written, path(name));
    names.add(name);
    return bytes;
  }

  /**
   * Writes bytes at an offset of a file and forces them. Creates the file unless it is known: see
   * {@link #published}.
   */
  void write(String name, byte[] bytes, long offset) throws IOException {
    Path path = path(name);
    try (Disk.DiskFile to = names.contains(name) ? disk.open(path) : disk.create(path)) {
      to.write(ByteBuffer.wrap(bytes), offset);
      to.force();
    }
  }

  /** Adds the name of a created file to the known ones, as it is durable. */
  void published(String name) {
    names.add(name);
  }

  void delete(String name) throws IOException {
    disk.delete(path(name));
    names.remove(name);
  }

  /** Makes new and removed names durable. */
  void sync() throws IOException {
    disk.sync(directory);
  }
}
