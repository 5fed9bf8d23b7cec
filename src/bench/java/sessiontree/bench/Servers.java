package sessiontree.bench;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Starts servers, each on a store of its own in one temporary folder. */
final class Servers implements AutoCloseable {
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

  /** Deletes the stores; no server may run. */
  void clean() throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, IOException failure)
              throws IOException {
            if (!directory.equals(folder)) {
              Files.delete(directory);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  @Override
  public void close() throws IOException {
    clean();
    Files.delete(folder);
  }
}
