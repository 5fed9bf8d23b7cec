package sessiontree.store.log;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * The file system operations that the log and the local store use; a test can substitute one that
 * fails. Files and directories are ordinary ones. A rename within the store is atomic. A rename or
 * a new file is durable once its directory is synced.
 */
public interface Disk {
  /**
   * An open file. Positions are absolute. Reads are safe for several threads, everything else for
   * one.
   */
  interface DiskFile extends Closeable {
    /** Writes all of the source. After an error some of it may be written. */
    void write(ByteBuffer source, long position) throws IOException;

    /** Reads until the target is full or the file ends; returns the number of bytes read. */
    int read(ByteBuffer target, long position) throws IOException;

    /**
     * Returns once the written bytes and the file's length are durable. After an error it is
     * unknown which of them are.
     */
    void force() throws IOException;

    void truncate(long size) throws IOException;

    long size() throws IOException;
  }

  /**
   * Creates an empty file, and replaces one of that name. Other users of the machine may not read
   * it.
   */
  DiskFile create(Path file) throws IOException;

  /**
   * Opens a file for reading and writing; throws NoSuchFileException if there is none, or if it is
   * a directory.
   */
  DiskFile open(Path file) throws IOException;

  /** Creates an empty file, and its directory if that was removed. */
  default DiskFile createTemporary(Path file) throws IOException {
    try {
      return create(file);
    } catch (NoSuchFileException e) {
      createDirectory(file.getParent());
      return create(file);
    }
  }

  /**
   * Renames {@code from} to {@code to}, atomically, replacing a file there; throws DamageException
   * if {@code to} is a directory.
   */
  void rename(Path from, Path to) throws IOException;

  /** Deletes a file; does nothing if there is none, or if it is a directory that is not empty. */
  void delete(Path file) throws IOException;

  /**
   * Returns when the file was last modified, in microseconds since the UNIX epoch, or what was set.
   */
  long modified(Path file) throws IOException;

  /** Sets the modification time. It need not survive loss of power. */
  void setModified(Path file, long epochMicros) throws IOException;

  /** Returns once all names created and removed in the directory are durable. */
  void sync(Path directory) throws IOException;

  /**
   * Creates the directory and its parents, where they are missing. Other users of the machine may
   * not read the new ones.
   */
  void createDirectories(Path directory) throws IOException;

  /** Creates the directory if missing; throws NoSuchFileException if its parent is missing. */
  void createDirectory(Path directory) throws IOException;

  /**
   * Returns an object that tells the file from others that have had its name; null if there is no
   * file of that name.
   */
  Object identity(Path file) throws IOException;

  /** Returns the directory's files, sorted by name; none if there is no such directory. */
  List<Path> list(Path directory) throws IOException;

  /**
   * Locks the file for this process, until the result is closed or the process ends; throws
   * IOException if it is locked already.
   */
  Closeable lock(Path file) throws IOException;

  /** Returns the machine's file system. */
  static Disk real() {
    return new RealDisk();
  }
}
