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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The shipped jar as a child process on a free port. Its working directory is the folder that its
 * store is in, so tests see every file that it leaves there. Ends no process but its own.
 */
final class JarServer implements AutoCloseable {
  private static final long DEADLINE_SECONDS = 60;
  private static final String LISTENING = "sessiontree listening on http://";

  /** JVM options that use the class archive: null at first, empty while it is being made. */
  private static List<String> classes;

  private final Process process;
  private final BlockingQueue<String> output = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> errors = new LinkedBlockingQueue<>();
  private final List<Thread> readers = new ArrayList<>();
  private int port;
  private String listening;

  private JarServer(Process process) {
    this.process = process;
    collect(process.getInputStream(), output);
    collect(process.getErrorStream(), errors);
  }

  /** Archives the classes that a start loads, as run.sh does; this cuts later starts by a third. */
  private static synchronized List<String> classes() throws IOException, InterruptedException {
    if (classes != null) {
      return classes;
    }
    classes = List.of(); // used by the server that is started here
    Path folder = Files.createTempDirectory("classes");
    Path archive = folder.resolve("classes.jsa");
    try (JarServer server =
        of(folder.resolve("store"))
            .onlyFlags("--port", "0", "--store", "memory:")
            .java("-XX:ArchiveClassesAtExit=" + archive)
            .start()) {
      RawHttp.post(server.port, "/sessions/a/events", "[]");
      server.terminate();
    }
    folder.toFile().deleteOnExit();
    archive.toFile().deleteOnExit();
    classes =
        List.of(
            "-XX:SharedArchiveFile=" + archive,
            "-Xshare:auto",
            "-Xlog:cds=off",
            "-Xlog:cds+dynamic=off");
    return classes;
  }

  /** Starts the server, and returns when it listens. */
  static JarServer start(Path store, String... flags) throws IOException, InterruptedException {
    return of(store).flags(flags).start();
  }

  /** Returns whether stores are folders; with -Dsessiontree.store=postgres they are databases. */
  static boolean isInFolder() {
    return !"postgres".equals(System.getProperty("sessiontree.store"));
  }

  /** Returns a launch of a server with its store at {@code store}. */
  static Launch of(Path store) {
    return new Launch(store.toAbsolutePath());
  }

  /** How a server is started. It inherits none of this process's SESSIONTREE_ variables. */
  static final class Launch {
    private final Path store;
    private final List<String> java = new ArrayList<>();
    private final List<String> flags = new ArrayList<>();
    private final Map<String, String> environment = new HashMap<>();

    private Launch(Path store) {
      this.store = store;
      flags.addAll(List.of("--port", "0", "--store", store(store)));
    }

    /** Returns the folder, or the URL of a database in its place. */
    private static String store(Path folder) {
      if (isInFolder()) {
        return folder.toString();
      }
      try {
        return PostgresServers.shared().databaseOf(folder);
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }

    /** Adds JVM options. */
    Launch java(String... options) {
      java.addAll(List.of(options));
      return this;
    }

    Launch flags(String... more) {
      flags.addAll(List.of(more));
      return this;
    }

    /** Replaces all flags, including those of port and store. */
    Launch onlyFlags(String... these) {
      flags.clear();
      return flags(these);
    }

    Launch variable(String name, String value) {
      environment.put(name, value);
      return this;
    }

    /** Starts the process, and does not wait for the server. */
    JarServer launch() throws IOException, InterruptedException {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      // A server that lives for seconds does not repay full optimization.
      command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
      command.addAll(classes());
      command.addAll(java);
      command.add("-jar");
      command.add(Path.of(System.getProperty("sessiontree.jar")).toAbsolutePath().toString());
      command.addAll(flags);
      Files.createDirectories(store.getParent());
      ProcessBuilder builder = new ProcessBuilder(command).directory(store.getParent().toFile());
      builder.environment().keySet().removeIf(name -> name.startsWith("SESSIONTREE_"));
      builder.environment().putAll(environment);
      return new JarServer(builder.start());
    }

    /** Starts the server, and returns when it listens. */
    JarServer start() throws IOException, InterruptedException {
      JarServer server = launch();
      try {
        String line = server.output.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
        if (line == null || !line.startsWith(LISTENING)) {
          throw new AssertionError("the server does not listen: " + line + "\n" + server.errors());
        }
        server.listening = line.substring(LISTENING.indexOf("http://"));
        server.port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
        return server;
      } catch (AssertionError | RuntimeException | InterruptedException e) {
        server.close();
        throw e;
      }
    }

    /** Starts a server that must exit by itself, and waits for its exit. */
    Ended run() throws IOException, InterruptedException {
      try (JarServer server = launch()) {
        int code = server.awaitExit();
        return new Ended(code, List.copyOf(server.output), List.copyOf(server.errors));
      }
    }
  }

  /** The exit code and output of a server that exited by itself. */
  record Ended(int code, List<String> output, List<String> errors) {}

  private void collect(InputStream stream, BlockingQueue<String> lines) {
    Thread thread =
        new Thread(
            () -> {
              try (var reader =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line; (line = reader.readLine()) != null; ) {
                  if (isInFolder() || !line.contains("waits for no standby")) { // tests have none
                    lines.add(line);
                  }
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

  /** Returns the URL at which the server says that it listens. */
  String listening() {
    return listening;
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  /** Returns the number of the server's kernel threads, as counted by Linux. */
  int threads() {
    return Path.of("/proc", "" + process.pid(), "task").toFile().list().length;
  }

  /** Returns what the server has written to standard error so far. */
  String errors() {
    return String.join("\n", errors);
  }

  /** Returns the lines of {@link #errors} whose level is not INFO. */
  String complaints() {
    return String.join("\n", errors.stream().filter(line -> !line.contains(" INFO ")).toList());
  }

  /** Returns the lines on standard output after the one that says where the server listens. */
  List<String> furtherOutput() {
    return List.copyOf(output);
  }

  /** Stops the process (SIGSTOP) until {@link #resume}. */
  void suspend() throws IOException, InterruptedException {
    signal("STOP");
  }

  void resume() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    String command = "kill -" + name + " " + process.pid();
    int code = new ProcessBuilder("sh", "-c", command).inheritIO().start().waitFor();
    if (code != 0) {
      throw new AssertionError(command + ": exit code " + code);
    }
  }

  /** Sends SIGTERM, and does not wait. */
  void askToEnd() {
    process.toHandle().destroy(); // Process.destroy() closes the output before it is read
  }

  /** Waits for the process to exit, and returns its exit code. */
  int awaitExit() throws InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the server does not end\n" + errors());
    }
    for (Thread reader : readers) {
      reader.join(TimeUnit.SECONDS.toMillis(DEADLINE_SECONDS));
    }
    return process.exitValue();
  }

  /** Sends SIGTERM, waits, and returns the exit code. */
  int terminate() throws InterruptedException {
    askToEnd();
    return awaitExit();
  }

  /** Sends SIGKILL, and returns when the process is gone. */
  void kill() throws InterruptedException {
    process.toHandle().destroyForcibly();
    awaitExit();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }
}
