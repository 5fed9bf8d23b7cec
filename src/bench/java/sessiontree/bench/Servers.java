package sessiontree.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Starts servers, each on a store of its own in one temporary folder. */
final class Servers implements AutoCloseable {
  private static final long LARGE_BYTES = 1 << 20;

  private final Path folder;
  private final List<String> jar;
  private final List<String> options;
  private final String runScript;
  private int started;

  /** What is started. */
  enum Kind {
    /** The jar with the flags of run.sh. */
    SESSIONTREE("sessiontree"),
    /** The same by run.sh itself. */
    RUN_SCRIPT("run.sh"),
    /** The same with no flags but JAVA_OPTS. */
    PLAIN("java -jar"),
    /** {@link Sink}, which drops frames. */
    FRAMES("sink of frames"),
    /** {@link Sink}, which drops what ctx.message() gives. */
    MESSAGES("sink of messages");

    private final String shown;

    Kind(String shown) {
      this.shown = shown;
    }

    String shown() {
      return shown;
    }
  }

  private Servers(Path folder, List<String> jar, List<String> options, String runScript) {
    this.folder = folder;
    this.jar = jar;
    this.options = options;
    this.runScript = runScript;
  }

  /**
   * Makes the temporary folder. If this process is ended, so are the servers.
   *
   * @param in where it is made
   * @param jar the command that run.sh would run
   * @param options for each JVM
   */
  static Servers in(Path in, List<String> jar, List<String> options, String runScript)
      throws IOException {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(() -> ProcessHandle.current().children().forEach(ProcessHandle::destroy)));
    return new Servers(Files.createTempDirectory(in, "bench"), jar, options, runScript);
  }

  Path folder() {
    return folder;
  }

  /** The JVM's flags of sessiontree. */
  List<String> flags() {
    return jar.subList(1, jar.size() - 2);
  }

  Target start(Kind kind) throws IOException {
    String name = kind.name().toLowerCase(Locale.ROOT) + started++;
    List<String> command = new ArrayList<>();
    switch (kind) {
      case SESSIONTREE -> command.addAll(jar);
      case RUN_SCRIPT -> command.add(runScript);
      case PLAIN -> {
        command.add(jar.get(0));
        command.addAll(options);
        command.addAll(jar.subList(jar.size() - 2, jar.size()));
      }
      case FRAMES, MESSAGES -> {
        command.add(jar.get(0));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(Sink.class.getName(), "{port}"));
        command.add(kind == Kind.FRAMES ? "frames" : "messages");
        return Target.start(command, folder.resolve(name + ".log"));
      }
    }
    command.addAll(List.of("--port", "{port}", "--store", folder.resolve(name).toString()));
    return Target.start(command, folder.resolve(name + ".log"));
  }

  /**
   * Deletes the large files of the stores, while no server runs. The small files stay until {@link
   * #close}: for minutes after thousands of files were deleted, ext4 skips their inodes one by one
   * whenever a file is created ({@code recently_deleted} in its ialloc.c), which takes more time
   * than all else that a session costs.
   */
  void clean() throws IOException {
    delete(LARGE_BYTES);
  }

  private void delete(long minBytes) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
        if (minBytes == 0 || (Files.isRegularFile(file) && Files.size(file) >= minBytes)) {
          Files.delete(file);
        }
      }
    }
  }

  @Override
  public void close() throws IOException {
    delete(0);
  }
}
