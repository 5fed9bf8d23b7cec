package sessiontree;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * External programs, run as child processes. If a program is missing, its tests are skipped; with
 * {@code SESSIONTREE_ALL_PROGRAMS=1} in the environment, as in CI, they fail instead.
 */
final class Programs {
  static final String REQUIRED = "SESSIONTREE_ALL_PROGRAMS";
  private static final long DEADLINE_SECONDS = 60;

  private Programs() {}

  /**
   * Returns the path of a program.
   *
   * @param how the command that installs it, such as {@code apt-get install nginx}
   */
  static String find(String name, String how) {
    for (String folder :
        (System.getenv("PATH") + ":/usr/sbin:/usr/bin").split(File.pathSeparator)) {
      Path program = Path.of(folder, name);
      if (Files.isExecutable(program) && Files.isRegularFile(program)) {
        return program.toString();
      }
    }
    throw missing(name, how);
  }

  static RuntimeException missing(String name, String how) {
    String message = name + " is not found; " + how;
    if ("1".equals(System.getenv(REQUIRED))) {
      throw new AssertionError(message + " (" + REQUIRED + " is set)");
    }
    return abort(message);
  }

  /** The exit code of a program and its standard output, plus its standard error if it failed. */
  record Ended(int code, String output) {
    /** Returns the output; throws if the program failed. */
    String orFail() {
      if (code != 0) {
        throw new AssertionError("exit code " + code + ": " + output);
      }
      return output;
    }
  }

  /** Runs a program to its end, without input. */
  static Ended run(Path folder, List<String> command) throws IOException, InterruptedException {
    return run(folder, command, "");
  }

  /** Runs a program to its end. Its standard error goes to a file, which failures show. */
  static Ended run(Path folder, List<String> command, String input)
      throws IOException, InterruptedException {
    Path output = Files.createTempFile(folder, "output", null);
    Path errors = Files.createTempFile(folder, "errors", null);
    Process process =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .start();
    try {
      try (var in = process.outputWriter(StandardCharsets.UTF_8)) {
        in.write(input);
      }
      if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError(command + " does not end: " + Files.readString(errors));
      }
      String printed = Files.readString(output);
      int code = process.exitValue();
      return new Ended(code, code == 0 ? printed : printed + Files.readString(errors));
    } finally {
      end(process);
    }
  }

  /** Kills a process and its descendants. */
  static void end(Process process) throws InterruptedException {
    List<ProcessHandle> children = process.descendants().toList();
    process.destroyForcibly();
    children.forEach(ProcessHandle::destroyForcibly);
    process.waitFor();
  }
}
