package sessiontree.store.log;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * All that the log and the local store ask of a file system, so that a test can put one under it
 * that fails. Directories and files are plain ones; a rename within the store is atomic, and it and
 * a new file are durable once their directory is synced.
 */
public interface Disk {
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

  /**
   * Makes an empty file, in place of one of that name if there is one. Other users of the machine
   * may not read it.
   */
  DiskFile create(Path file) throws IOException;

  /**
   * Opens a file for reading and writing; throws NoSuchFileException if there is none. A directory
   * of that name is none.
   */
  DiskFile open(Path file) throws IOException;

  /** Makes an empty file, and the directory it is in, if that was removed. */
  default DiskFile createTemporary(Path file) throws IOException {
    try {
      return create(file);
    } catch (NoSuchFileException e) {
      createDirectory(file.getParent());
      return create(file);
    }
  }

  /**
   * Puts the file in the place of the other, atomically; throws DamageException if a directory is
   * there.
   */
  void rename(Path from, Path to) throws IOException;

  /** Does nothing if there is no such file, or if it is a directory that has something in it. */
  void delete(Path file) throws IOException;

  /** When the file was changed last, in microseconds since the UNIX epoch, or what was set. */
  long modified(Path file) throws IOException;

  /** Sets that time. It need not survive loss of power. */
  void setModified(Path file, long epochMicros) throws IOException;

  /** Returns when names made and removed in the directory survive loss of power. */
  void sync(Path directory) throws IOException;

  /**
   * Makes the directory, and those above it, if need be. Other users of the machine may not read
   * those that are made.
   */
  void createDirectories(Path directory) throws IOException;

  /** Makes the directory, if need be; throws NoSuchFileException if that above it is missing. */
  void createDirectory(Path directory) throws IOException;

  /**
   * Identifies a file among those that had or have its name; null if there is none of that name.
   */
  Object identity(Path file) throws IOException;

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
}
