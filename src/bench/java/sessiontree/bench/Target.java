package sessiontree.bench;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A server under test, run as a child process, and what Linux and its JVM report about it. */
final class Target implements AutoCloseable {
  private static final long START_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final long STOP_SECONDS = 20;
  private static final double TICKS_A_SECOND = 100; // USER_HZ, the same on all of Linux today
  private static final int QUIET_MILLIS = 200;
  private static final int QUIET_TURNS = 15;

  private final Process process;
  private final int port;
  private final double startSeconds;

  private Target(Process process, int port, double startSeconds) {
    this.process = process;
    this.port = port;
    this.startSeconds = startSeconds;
  }

  /**
   * Starts a server, and returns when it is healthy.
   *
   * @param command the command, in which {@code {port}} is replaced by a free port
   * @param log the file for the server's output
   */
  static Target start(List<String> command, Path log) throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    List<String> words =
        command.stream().map(word -> word.replace("{port}", String.valueOf(port))).toList();
    ProcessBuilder builder = new ProcessBuilder(words);
    builder.environment().keySet().removeIf(name -> name.startsWith("SESSIONTREE_"));
    builder.redirectErrorStream(true).redirectOutput(log.toFile());
    long began = System.nanoTime();
    Process process = builder.start();
    while (!isHealthy(port)) {
      if (!process.isAlive() || System.nanoTime() - began > START_NANOS) {
        process.destroyForcibly();
        throw new IOException(
            "server did not become healthy: " + words + "\n" + Files.readString(log));
      }
      sleep(3);
    }
    return new Target(process, port, (System.nanoTime() - began) / 1e9);
  }

  private static boolean isHealthy(int port) {
    byte[] response = new byte["HTTP/1.1 200".length()];
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      socket
          .getOutputStream()
          .write(
              "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII));
      InputStream in = socket.getInputStream();
      return in.readNBytes(response, 0, response.length) == response.length
          && new String(response, StandardCharsets.US_ASCII).endsWith(" 200");
    } catch (IOException e) {
      return false; // not up yet
    }
  }

  int port() {
    return port;
  }

  /** Returns the time from exec to the first healthy response. */
  double startSeconds() {
    return startSeconds;
  }

  /** Returns the CPU time of all the server's threads so far, in steps of 10 ms. */
  double cpuSeconds() {
    String stat = read("stat");
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" "); // from field 3 on
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_A_SECOND;
  }

  /**
   * Waits until the server is quiet, so that work that it deferred counts too; at most three
   * seconds. A server is quiet if it uses at most one step of CPU time in 200 ms.
   */
  void awaitQuiet() {
    double before = cpuSeconds();
    for (int i = 0; i < QUIET_TURNS; i++) {
      sleep(QUIET_MILLIS);
      double now = cpuSeconds();
      if (now - before < 1.5 / TICKS_A_SECOND) {
        return;
      }
      before = now;
    }
  }

  double residentMegabytes() {
    return statusKilobytes("VmRSS:") / 1024.0;
  }

  /** Returns the peak of resident memory since {@link #forgetPeak}. */
  double peakMegabytes() {
    return statusKilobytes("VmHWM:") / 1024.0;
  }

  void forgetPeak() throws IOException {
    Files.writeString(proc("clear_refs"), "5");
  }

  /** Returns the server's limit of open files. */
  long maxFiles() throws IOException {
    return Machine.maxFiles(String.valueOf(process.pid()));
  }

  /** Returns the bytes of all live objects; the server collects garbage first. */
  long heapBytes() throws IOException {
    Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    Process histogram =
        new ProcessBuilder(
                jcmd.toString(), String.valueOf(process.pid()), "GC.class_histogram", "-all=false")
            .redirectErrorStream(true)
            .start();
    String text = new String(histogram.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return text.lines()
        .filter(line -> line.startsWith("Total "))
        .mapToLong(line -> Long.parseLong(line.trim().split(" +")[2]))
        .findFirst()
        .orElseThrow(() -> new IOException("jcmd says: " + text));
  }

  private long statusKilobytes(String name) {
    return read("status")
        .lines()
        .filter(line -> line.startsWith(name))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }

  private String read(String file) {
    try {
      return Files.readString(proc(file));
    } catch (IOException e) {
      throw new IllegalStateException("the server is gone: " + e.getMessage(), e);
    }
  }

  private Path proc(String file) {
    return Path.of("/proc", String.valueOf(process.pid()), file);
  }

  static void sleep(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** Stops the server, by force if it does not exit in time. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
