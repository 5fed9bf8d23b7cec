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

/**
 * Ends the process when Java is out of memory, or when a thread fails with what nobody catches: a
 * server without one of its threads is alive, and does not respond. Whatever was acknowledged is on
 * disk. The JVM does the same with -XX:+ExitOnOutOfMemoryError, which this does not need.
 *
 * <p>An {@link OutOfMemoryError} arrives here in three ways. Threads of our own let it through, and
 * so does code that is asked by a scheduler or by Javalin: it calls the thread's handler of
 * uncaught exceptions. Jetty catches it and logs it, which is seen on the way to standard error.
 * And where hardly anything is free after a collection, the process does not wait for an error.
 */
final class OutOfMemory implements Thread.UncaughtExceptionHandler {
  /** The exit code: an internal fault (EX_SOFTWARE of sysexits.h). */
  private static final int FAULT = 70;

  private static final long ROUND_MILLIS = 250;
  private static final long PAUSE_MILLIS = 2_000;

  /** The part of the heap that is looked at more closely when less is free. */
  private static final int LITTLE = 8;

  /** The part of the heap that has to be free after a collection, up to so many bytes. */
  private static final int LEAST = 16;

  private static final long LEAST_BYTES = 32 << 20;

  /**
   * Standard error and the message for it, made beforehand: nothing is allocated when it is needed.
   */
  private static final FileOutputStream ERRORS = new FileOutputStream(FileDescriptor.err);

  private static final byte[] MESSAGE =
      ("sessiontree: out of memory, the process ends; what was acknowledged is stored."
              + " A larger heap is set by java -Xmx, such as -Xmx1g\n")
          .getBytes(StandardCharsets.US_ASCII);

  private OutOfMemory() {}

  /** From now on the process ends when it is out of memory. */
  static void endsTheProcess() {
    Thread.setDefaultUncaughtExceptionHandler(new OutOfMemory());
    System.setErr(new Errors(System.err));
    Thread thread = new Thread(OutOfMemory::watch, "memory");
    thread.setDaemon(true);
    thread.start();
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
      // nobody reads it
    } finally { // whatever the above throws
      Runtime.getRuntime().halt(FAULT);
    }
  }

  /** Standard error, for stacks that are printed by {@link Throwable#printStackTrace}. */
  private static final class Errors extends PrintStream {
    Errors(PrintStream errors) {
      super(errors, true);
    }

    @Override
    public void println(Object object) {
      if (object instanceof OutOfMemoryError error) {
        end(error);
      }
      super.println(object);
    }
  }

  private static void end(OutOfMemoryError error) {
    Thread thread = Thread.currentThread();
    thread.getUncaughtExceptionHandler().uncaughtException(thread, error);
  }

  /**
   * Looks all the while how much is free. Where that is little, as it may be of a heap with much
   * garbage too, it is looked at again after a collection. Once the heap is full, dozens of threads
   * each have it collected in vain, and the process takes long to end; so it ends before.
   */
  private static void watch() {
    long heapBytes = Runtime.getRuntime().maxMemory();
    try {
      while (true) {
        Thread.sleep(ROUND_MILLIS);
        if (freeBytes() < Math.min(heapBytes / LITTLE, 2 * LEAST_BYTES)) {
          System.gc();
          if (heapBytes - liveBytes() < Math.min(heapBytes / LEAST, LEAST_BYTES)) {
            end(new OutOfMemoryError());
          }
          Thread.sleep(PAUSE_MILLIS); // to collect again and again would help nobody
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // nobody does
    }
  }

  private static long freeBytes() {
    Runtime java = Runtime.getRuntime();
    return java.maxMemory() - java.totalMemory() + java.freeMemory();
  }

  /**
   * Bytes that were in use at the end of the last collection, whatever threads have allocated
   * since. JMX, which knows them, is loaded when it is first needed: it would slow down the start.
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
