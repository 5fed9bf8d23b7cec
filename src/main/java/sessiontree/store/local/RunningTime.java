package sessiontree.store.local;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.RunningClock;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.NumberFile;

/**
 * For how long, in milliseconds, stores have been open on the folder, one after another: a clock
 * that stands still while the server does, or is stopped. It is written down now and then, and not
 * forced: after a crash it is behind by the time since, or since the last record of the log. Safe
 * for several threads.
 */
final class RunningTime {
  private static final Logger LOG = LoggerFactory.getLogger(RunningTime.class);

  private final Disk disk;
  private final Path file;
  private final Path temporary;
  private final RunningClock clock;
  private volatile long before;

  /** The greatest that {@link #epochMicros} gave. Guarded by this. */
  private long lastMicros;

  private RunningTime(Disk disk, Path file, Path temporary, LongSupplier nanoTime, long before) {
    this.disk = disk;
    this.file = file;
    this.temporary = temporary;
    this.clock = new RunningClock(nanoTime);
    this.before = before;
  }

  /** Goes on from what a file has, if it can be read. */
  static RunningTime resume(Disk disk, Path file, Path temporary, LongSupplier nanoTime)
      throws IOException {
    return new RunningTime(disk, file, temporary, nanoTime, read(disk, file));
  }

  private static long read(Disk disk, Path file) throws IOException {
    try {
      return NumberFile.read(disk, file);
    } catch (NoSuchFileException e) {
      return 0;
    } catch (DamageException e) {
      LOG.warn("{}; the log has the time", e.getMessage());
      return 0;
    }
  }

  /** Moves it on to what the log has, at least. To be called before others use it. */
  void atLeast(long millis) {
    before = Math.max(before, millis);
  }

  /** The time of day was that once. To be called before others use it. */
  synchronized void wasMicros(long micros) {
    lastMicros = Math.max(lastMicros, micros);
  }

  /**
   * The time of day, in microseconds since the UNIX epoch, and later than it was before, also
   * before a restart: so where the machine's clock is set back, it stands nearly still until that
   * has caught up.
   */
  synchronized long epochMicros() {
    lastMicros = Math.max(lastMicros + 1, ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
    return lastMicros;
  }

  /** To be asked every second or so: see {@link RunningClock}. */
  long millis() {
    return before + clock.millis();
  }

  /** Writes it down. Called by one thread at a time. */
  void write() throws IOException {
    NumberFile.write(disk, file, temporary.resolve(file.getFileName()), millis(), false);
  }
}
