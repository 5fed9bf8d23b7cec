package sessiontree.store.local;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

  /**
   * Makes an empty file, in place of one of that name if there is one. Whoever else uses the
   * machine may not read it.
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
   * Makes the directory, and those above it, if need be. Whoever else uses the machine may not read
   * those that are made.
   */
  void createDirectories(Path directory) throws IOException;

  /** Makes the directory, if need be; throws NoSuchFileException if that above it is missing. */
  void createDirectory(Path directory) throws IOException;

  /**
   * What tells a file from another that had or has its name; null if there is none of that name.
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

  /** The file system of the machine. */
  final class RealDisk implements Disk {
    private static final Logger LOG = LoggerFactory.getLogger(RealDisk.class);

    /** Whatever the umask of the process is. */
    private static final FileAttribute<?>[] FILE = only("rw-------");

    private static final FileAttribute<?>[] DIRECTORY = only("rwx------");

    private RealDisk() {}

    /** What a new file or directory may be used for, where the file system knows of that. */
    private static FileAttribute<?>[] only(String permissions) {
      return FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
          ? new FileAttribute<?>[] {
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
          }
          : new FileAttribute<?>[0];
    }

    @Override
    public DiskFile create(Path file) throws IOException {
      return new RealFile(
          FileChannel.open(
              file,
              Set.of(
                  StandardOpenOption.CREATE,
                  StandardOpenOption.TRUNCATE_EXISTING,
                  StandardOpenOption.READ,
                  StandardOpenOption.WRITE),
              FILE));
    }

    @Override
    public DiskFile open(Path file) throws IOException {
      try {
        return new RealFile(
            FileChannel.open(file, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE)));
      } catch (FileSystemException e) {
        throw Files.isDirectory(file) ? new NoSuchFileException(file.toString()) : e;
      }
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
      try {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } catch (FileSystemException e) {
        throw Files.isDirectory(to) ? new DamageException(to, "a directory is in its place") : e;
      }
    }

    @Override
    public void delete(Path file) throws IOException {
      try {
        Files.deleteIfExists(file);
      } catch (DirectoryNotEmptyException e) {
        LOG.warn("{} is a directory, and none of the store's: it stays", file);
      }
    }

    @Override
    public long modified(Path file) throws IOException {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      if (attributes.isDirectory()) {
        throw new NoSuchFileException(file.toString());
      }
      return attributes.lastModifiedTime().to(TimeUnit.MICROSECONDS);
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
      Files.createDirectories(directory, DIRECTORY);
    }

    @Override
    public void createDirectory(Path directory) throws IOException {
      try {
        Files.createDirectory(directory, DIRECTORY);
      } catch (FileAlreadyExistsException e) {
        if (!Files.isDirectory(directory)) {
          throw e;
        }
      }
    }

    @Override
    public Object identity(Path file) throws IOException {
      try {
        Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        return key == null ? file : key; // where files have no numbers, it is there
      } catch (NoSuchFileException e) {
        return null;
      }
    }

    @Override
    public List<Path> list(Path directory) throws IOException {
      List<Path> files = new ArrayList<>();
      try (var stream = Files.newDirectoryStream(directory)) {
        stream.forEach(files::add);
      } catch (NoSuchFileException | NotDirectoryException e) {
        return files;
      } catch (DirectoryIteratorException e) {
        throw e.getCause();
      }
      files.sort(null);
      return files;
    }

    @Override
    public Closeable lock(Path file) throws IOException {
      FileChannel channel =
          FileChannel.open(file, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), FILE);
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
