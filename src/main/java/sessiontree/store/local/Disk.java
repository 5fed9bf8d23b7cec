package sessiontree.store.local;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * All that the local store asks of a file system, so that a test can put one under it that fails.
 * Directories and files are plain ones; a rename within the store is atomic, and it and a new file
 * are durable once their directory is synced.
 */
interface Disk {
  /**
   * An open file. Positions are absolute. Reads are safe for several threads, everything else for
   * one.
   */
  interface DiskFile extends Closeable {
    /** Writes all of the source. On an error some of it may be written. */
    void write(ByteBuffer source, long position) throws IOException;

    /** Reads until the target is full or the file ends; returns how much. */
    int read(ByteBuffer target, long position) throws IOException;

    /**
     * Returns when what was written, and the length, survive loss of power. After an error nobody
     * knows what does.
     */
    void force() throws IOException;

    void truncate(long size) throws IOException;

    long size() throws IOException;
  }

  /** Makes an empty file, in place of one of that name if there is one. */
  DiskFile create(Path file) throws IOException;

  /** Opens a file for reading and writing; throws NoSuchFileException if there is none. */
  DiskFile open(Path file) throws IOException;

  /** Puts the file in the place of the other, atomically. */
  void rename(Path from, Path to) throws IOException;

  /** Does nothing if there is no such file. */
  void delete(Path file) throws IOException;

  /** When the file was changed last, in microseconds since the UNIX epoch, or what was set. */
  long modified(Path file) throws IOException;

  /** Sets that time. It need not survive loss of power. */
  void setModified(Path file, long epochMicros) throws IOException;

  /** Returns when names made and removed in the directory survive loss of power. */
  void sync(Path directory) throws IOException;

  /** Makes the directory, and those above it, if need be. */
  void createDirectories(Path directory) throws IOException;

  /** The directory's files, sorted by name; none if there is no such directory. */
  List<Path> list(Path directory) throws IOException;

  /**
   * Takes the file for this process alone, until it is closed or the process ends; throws
   * IOException if another has it.
   */
  Closeable lock(Path file) throws IOException;

  /** The real one. */
  static Disk real() {
    return new RealDisk();
  }

  /** The file system of the machine. */
  final class RealDisk implements Disk {
    private RealDisk() {}

    @Override
    public DiskFile create(Path file) throws IOException {
      return new RealFile(
          FileChannel.open(
              file,
              Set.of(
                  StandardOpenOption.CREATE,
                  StandardOpenOption.TRUNCATE_EXISTING,
                  StandardOpenOption.READ,
                  StandardOpenOption.WRITE)));
    }

    @Override
    public DiskFile open(Path file) throws IOException {
      return new RealFile(
          FileChannel.open(file, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE)));
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Override
    public void delete(Path file) throws IOException {
      Files.deleteIfExists(file);
    }

    @Override
    public long modified(Path file) throws IOException {
      return Files.getLastModifiedTime(file).to(TimeUnit.MICROSECONDS);
    }

    @Override
    public void setModified(Path file, long epochMicros) throws IOException {
      Files.setLastModifiedTime(file, FileTime.from(epochMicros, TimeUnit.MICROSECONDS));
    }

    @Override
    public void sync(Path directory) throws IOException {
      try (FileChannel channel = FileChannel.open(directory, Set.of(StandardOpenOption.READ))) {
        channel.force(true);
      }
    }

    @Override
    public void createDirectories(Path directory) throws IOException {
      Files.createDirectories(directory);
    }

    @Override
    public List<Path> list(Path directory) throws IOException {
      List<Path> files = new ArrayList<>();
      try (var stream = Files.newDirectoryStream(directory)) {
        stream.forEach(files::add);
      } catch (NoSuchFileException e) {
        return files;
      }
      files.sort(null);
      return files;
    }

    @Override
    public Closeable lock(Path file) throws IOException {
      FileChannel channel =
          FileChannel.open(file, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE));
      try {
        if (channel.tryLock() != null) {
          return channel; // closing it gives the lock back
        }
      } catch (OverlappingFileLockException e) {
        // another store of this process has it
      } catch (IOException e) {
        channel.close();
        throw e;
      }
      channel.close();
      throw new IOException("another process uses it");
    }
  }

  /** A file of the machine's file system. */
  record RealFile(FileChannel channel) implements DiskFile {
    @Override
    public void write(ByteBuffer source, long position) throws IOException {
      for (long at = position; source.hasRemaining(); ) {
        at += channel.write(source, at);
      }
    }

    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      int read = 0;
      for (int n; target.hasRemaining() && (n = channel.read(target, position + read)) >= 0; ) {
        read += n;
      }
      return read;
    }

    @Override
    public void force() throws IOException {
      channel.force(false); // the length counts as data (fdatasync(2)), the times do not
    }

    @Override
    public void truncate(long size) throws IOException {
      channel.truncate(size);
    }

    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
