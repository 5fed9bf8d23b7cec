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
 * The shipped jar as a child process on a free port. It works in the folder that its store is in,
 * so whatever it leaves there can be seen. Ends no process but its own.
 */
final class JarServer implements AutoCloseable {
  private static final long DEADLINE_SECONDS = 30;
  private static final String LISTENING = "sessiontree listening on http://";

  /** Options by which classes are loaded sooner; none until the first server has told which. */
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

  /** As run.sh does: keeps an archive of what a start loads, which spares others a third of it. */
  private static synchronized List<String> classes() throws IOException, InterruptedException {
    if (classes != null) {
      return classes;
    }
    classes = List.of(); // for the server that is started here
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

  /** Whether stores are folders: with -Dsessiontree.store=postgres they are databases. */
  static boolean isInFolder() {
    return !"postgres".equals(System.getProperty("sessiontree.store"));
  }

  /** A server to be started there. */
  static Launch of(Path store) {
    return new Launch(store.toAbsolutePath());
  }

  /** How a server is started: with nothing of this process's environment that is meant for it. */
  static final class Launch {
    private final Path store;
    private final List<String> java = new ArrayList<>();
    private final List<String> flags = new ArrayList<>();
    private final Map<String, String> environment = new HashMap<>();

    private Launch(Path store) {
      this.store = store;
      flags.addAll(List.of("--port", "0", "--store", store(store)));
    }

    /** The folder; or a database in its place. */
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

    /** Options of the JVM. */
    Launch java(String... options) {
      java.addAll(List.of(options));
      return this;
    }

    Launch flags(String... more) {
      flags.addAll(List.of(more));
      return this;
    }

    /** Nothing but these: no port, and no store. */
    Launch onlyFlags(String... these) {
      flags.clear();
      return flags(these);
    }

    Launch variable(String name, String value) {
      environment.put(name, value);
      return this;
    }

    /** Starts it, and does not wait. */
    JarServer launch() throws IOException, InterruptedException {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      // What lives for seconds is not worth compiling well.
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

    /** Starts it, and returns when it listens. */
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

    /** Starts it where it is to end by itself. */
    Ended run() throws IOException, InterruptedException {
      try (JarServer server = launch()) {
        int code = server.awaitExit();
        return new Ended(code, List.copyOf(server.output), List.copyOf(server.errors));
      }
    }
  }

  /** What a server that has ended by itself leaves. */
  record Ended(int code, List<String> output, List<String> errors) {}

  private void collect(InputStream stream, BlockingQueue<String> lines) {
    Thread thread =
        new Thread(
            () -> {
              try (var reader =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line; (line = reader.readLine()) != null; ) {
                  if (isInFolder() || !line.contains("waits for no standby")) { // it has none
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

  /** Where it says that it listens. */
  String listening() {
    return listening;
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  /** How many threads it has (of the kernel's, as Linux tells them). */
  int threads() {
    return Path.of("/proc", "" + process.pid(), "task").toFile().list().length;
  }

  /** What it has said on standard error. */
  String errors() {
    return String.join("\n", errors);
  }

  /** What it has said there beside what belongs to every day. */
  String complaints() {
    return String.join("\n", errors.stream().filter(line -> !line.contains(" INFO ")).toList());
  }

  /** What it has said on standard output after the line that it listens. */
  List<String> furtherOutput() {
    return List.copyOf(output);
  }

  /** Lets it do nothing until {@link #resume}. */
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

  /** Asks it to end (SIGTERM). */
  void askToEnd() {
    process.toHandle().destroy(); // that of Process closes its output before it is read
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
    process.toHandle().destroyForcibly();
    awaitExit();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }
}
