package sessiontree;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The shipped jar as a child process on a free port. It works in the folder that its store is in,
 * so whatever it leaves there can be seen. Ends no process but its own.
 */
final class JarServer implements AutoCloseable {
  private static final long DEADLINE_SECONDS = 30;
  private static final String LISTENING = "sessiontree listening on http://127.0.0.1:";

  private final Process process;
  private final BlockingQueue<String> output = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> errors = new LinkedBlockingQueue<>();
  private final List<Thread> readers = new ArrayList<>();
  private int port;

  private JarServer(Process process) {
    this.process = process;
    collect(process.getInputStream(), output);
    collect(process.getErrorStream(), errors);
  }

  /** Starts the server, and returns when it listens. */
  static JarServer start(Path store, String... flags) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-jar");
    command.add(Path.of(System.getProperty("sessiontree.jar")).toAbsolutePath().toString());
    command.addAll(List.of("--port", "0", "--store", store.toAbsolutePath().toString()));
    command.addAll(List.of(flags));
    Path folder = store.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("SESSIONTREE_"));
    JarServer server = new JarServer(builder.start());
    try {
      String line = server.output.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
      if (line == null || !line.startsWith(LISTENING)) {
        throw new AssertionError("the server does not listen: " + line + "\n" + server.errors());
      }
      server.port = Integer.parseInt(line.substring(LISTENING.length()));
      return server;
    } catch (AssertionError | RuntimeException | InterruptedException e) {
      server.close();
      throw e;
    }
  }

  private void collect(InputStream stream, BlockingQueue<String> lines) {
    Thread thread =
        new Thread(
            () -> {
              try (var reader =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line; (line = reader.readLine()) != null; ) {
                  lines.add(line);
                }
              } catch (IOException e) {
                lines.add("(cut off: " + e.getMessage() + ")");
              }
            },
            "server output");
    thread.setDaemon(true);
    thread.start();
    readers.add(thread);
  }

  int port() {
    return port;
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  /** What it has said on standard error, for failure messages. */
  String errors() {
    return String.join("\n", errors);
  }

  /** What it has said on standard output after the line that it listens. */
  List<String> furtherOutput() {
    return List.copyOf(output);
  }

  /** Asks it to end (SIGTERM). */
  void askToEnd() {
    process.destroy();
  }

  /** Waits for its end, and returns the exit code. */
  int awaitExit() throws InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the server does not end\n" + errors());
    }
    for (Thread reader : readers) {
      reader.join(TimeUnit.SECONDS.toMillis(DEADLINE_SECONDS));
    }
    return process.exitValue();
  }

  /** SIGTERM; returns the exit code. */
  int terminate() throws InterruptedException {
    askToEnd();
    return awaitExit();
  }

  /** SIGKILL; returns when the process is gone. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    awaitExit();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }
}
