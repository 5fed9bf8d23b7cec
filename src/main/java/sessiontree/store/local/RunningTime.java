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
 * The time, in milliseconds, for which stores have been open on the folder in total: a clock that
 * stands still while the server is stopped or suspended. It is saved now and then, but not forced:
 * after a crash it lags by the time since it was saved or since the last log record, whichever is
 * less. Safe for several threads.
 */
final class RunningTime {
  private static final Logger LOG = LoggerFactory.getLogger(RunningTime.class);

  private final Disk disk;
  private final Path file;
  private final Path temporary;
  private final RunningClock clock;
  private volatile long startMillis;

  /** Latest time that {@link #epochMicros} returned, even before a restart. Guarded by this. */
  private long lastMicros;

  private RunningTime(
      Disk disk, Path file, Path temporary, LongSupplier nanoTime, long startMillis) {
    this.disk = disk;
    this.file = file;
    this.temporary = temporary;
    this.clock = new RunningClock(nanoTime);
    this.startMillis = startMillis;
  }

  /** Resumes from the time saved in a file; from 0 if the file is missing or damaged. */
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
      LOG.warn(
          "the clock file is damaged, the running time is taken from the log: {}", e.getMessage());
      return 0;
    }
  }

  /** Advances the clock to {@code millis} if it is behind. Called before other threads use it. */
  void atLeast(long millis) {
    startMillis = Math.max(startMillis, millis);
  }

  /** Makes {@link #epochMicros} exceed {@code micros}. Called before other threads use it. */
  synchronized void epochMicrosAtLeast(long micros) {
    lastMicros = Math.max(lastMicros, micros);
  }

  /**
   * Returns the time of day, in microseconds since the UNIX epoch, always later than before, even
   * across restarts. If the machine's clock is set back, this one nearly stands still until the
   * machine's has caught up.
   */
  synchronized long epochMicros() {
    lastMicros = Math.max(lastMicros + 1, ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
    return lastMicros;
  }

  /** Returns the running time. Must be called every second or so: see {@link RunningClock}. */
  long millis() {
    return startMillis + clock.millis();
  }

  /** Saves the running time. Called by one thread at a time. */
  void save() throws IOException {
    NumberFile.write(disk, file, temporary.resolve(file.getFileName()), millis(), false);
  }
}
