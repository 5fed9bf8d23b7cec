package sessiontree.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/** The machine that the benchmark runs on. */
final class Machine {
  private static final int SYNCS = 500;
  private static final int SYNCED_BYTES = 300;

  private Machine() {}

  /** Returns a description in one line. */
  static String describe(Path folder) throws IOException {
    return Runtime.getRuntime().availableProcessors()
        + " cores, "
        + field("/proc/cpuinfo", "model name")
        + ", "
        + Long.parseLong(field("/proc/meminfo", "MemTotal").replaceAll("\\D", "")) / (1 << 20)
        + " GiB; JDK "
        + Runtime.version()
        + "; Linux "
        + System.getProperty("os.version")
        + ", "
        + Files.getFileStore(folder).type();
  }

  private static String field(String file, String name) throws IOException {
    return Files.readAllLines(Path.of(file)).stream()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(line.indexOf(':') + 1).trim())
        .findFirst()
        .orElse("0");
  }

  /** Returns the load average of the last minute, in which the benchmark counts too. */
  static String load() throws IOException {
    return Files.readString(Path.of("/proc/loadavg")).split(" ")[0];
  }

  /** Returns the limit of open files of a process. */
  static long maxFiles(String process) throws IOException {
    return Files.readAllLines(Path.of("/proc", process, "limits")).stream()
        .filter(line -> line.startsWith("Max open files"))
        .mapToLong(line -> Long.parseLong(line.split("  +")[1]))
        .findFirst()
        .orElseThrow();
  }

  /** Returns the median time to append 300 bytes to a file in that folder and to force them. */
  static double syncMicros(Path folder) throws IOException {
    Path file = folder.resolve("synced");
    long[] nanos = new long[SYNCS];
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(SYNCED_BYTES);
      for (int i = 0; i < SYNCS; i++) {
        long began = System.nanoTime();
        channel.write(bytes.clear());
        channel.force(false);
        nanos[i] = System.nanoTime() - began;
      }
    }
    Files.delete(file);
    Arrays.sort(nanos);
    return nanos[SYNCS / 2] / 1e3;
  }
}
