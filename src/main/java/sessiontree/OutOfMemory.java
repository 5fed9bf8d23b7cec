package sessiontree;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.charset.StandardCharsets;
import org.slf4j.LoggerFactory;
import sessiontree.store.DaemonThreads;

/**
 * A handler that ends the process when the JVM is out of memory, or when a thread fails with an
 * exception that nothing catches: a server without one of its threads is alive but does not
 * respond. Everything acknowledged is on disk. -XX:+ExitOnOutOfMemoryError does the same, but is
 * not needed.
 */
final class OutOfMemory implements Thread.UncaughtExceptionHandler {
  /** The exit code: an internal fault (EX_SOFTWARE of sysexits.h). */
  private static final int FAULT = 70;

  private static final long ROUND_MILLIS = 250;
  private static final long PAUSE_MILLIS = 2_000;

  /** If less than this part of the heap is free, a collection shows how much really is. */
  private static final int CHECK_DIVISOR = 8;

  /** This part of the heap, {@link #LEAST_BYTES} at most, must be free after a collection. */
  private static final int FREE_DIVISOR = 16;

  private static final long LEAST_BYTES = 32 << 20;

  /**
   * Standard error and the message for it, both made in advance: when needed, nothing is allocated.
   */
  private static final FileOutputStream ERRORS = new FileOutputStream(FileDescriptor.err);

  private static final byte[] MESSAGE =
      ("sessiontree: out of memory, the process ends; what was acknowledged is stored."
              + " A larger heap is set by java -Xmx, such as -Xmx1g\n")
          .getBytes(StandardCharsets.US_ASCII);

  private OutOfMemory() {}

  /** Makes the process end from now on when it is out of memory. */
  static void endsTheProcess() {
    Thread.setDefaultUncaughtExceptionHandler(new OutOfMemory());
    System.setErr(new Errors(System.err));
    DaemonThreads.named("memory").newThread(OutOfMemory::watch).start();
  }

  @Override
  public void uncaughtException(Thread thread, Throwable failure) {
    try {
      if (failure instanceof OutOfMemoryError) {
        ERRORS.write(MESSAGE);
      } else {
        LoggerFactory.getLogger(OutOfMemory.class)
            .error("thread {} failed; the process ends", thread.getName(), failure);
      }
    } catch (IOException e) {
      // nobody reads standard error
    } finally { // also if writing or logging throws
      Runtime.getRuntime().halt(FAULT);
    }
  }

  /** Standard error that looks for errors in what {@link Throwable#printStackTrace} prints. */
  private static final class Errors extends PrintStream {
    Errors(PrintStream errors) {
      super(errors, true);
    }

    @Override
    public void println(Object object) {
      if (object instanceof OutOfMemoryError error) {
        DaemonThreads.uncaught(error);
      }
      super.println(object);
    }
  }

  /**
   * Checks regularly how much heap is free. If it is little, which may be due to garbage, checks
   * again after a collection. Once the heap is full, dozens of threads each trigger collections in
   * vain, and the process takes long to end; so it ends before that.
   */
  private static void watch() {
    long heapBytes = Runtime.getRuntime().maxMemory();
    try {
      while (true) {
        Thread.sleep(ROUND_MILLIS);
        if (freeBytes() < Math.min(heapBytes / CHECK_DIVISOR, 2 * LEAST_BYTES)) {
          System.gc();
          if (heapBytes - liveBytes() < Math.min(heapBytes / FREE_DIVISOR, LEAST_BYTES)) {
            DaemonThreads.uncaught(new OutOfMemoryError());
          }
          Thread.sleep(PAUSE_MILLIS); // collecting again at once would not help
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // nobody interrupts this thread
    }
  }

  private static long freeBytes() {
    Runtime java = Runtime.getRuntime();
    return java.maxMemory() - java.totalMemory() + java.freeMemory();
  }

  /**
   * Returns the bytes in use at the end of the last collection, whatever threads have allocated
   * since. JMX, which knows them, is loaded on first use, as it would slow down the start.
   */
  private static long liveBytes() {
    long bytes = 0;
    for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
      if (pool.getType() == MemoryType.HEAP && pool.getCollectionUsage() != null) {
        bytes += pool.getCollectionUsage().getUsed();
      }
    }
    return bytes;
  }
}
