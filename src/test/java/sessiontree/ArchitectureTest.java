package sessiontree;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Checks by import lines that packages depend on each other only in the allowed direction, and that
 * no file has more than 400 lines.
 */
class ArchitectureTest {
  private static final Path SOURCES = Path.of("src", "main", "java");
  private static final int MAX_LINES = 400;
  private static final Pattern IMPORT = Pattern.compile("import (?:static )?([\\w.*]+);");
  private static final List<String> HTTP =
      List.of("io.javalin.", "org.eclipse.jetty.", "jakarta.", "java.net.http.");

  /** For each package, the project's packages (with a final dot) and types that it may import. */
  private static final Map<String, List<String>> ALLOWED =
      Map.ofEntries(
          entry("sessiontree.event", List.of()),
          entry("sessiontree.metrics", List.of()),
          entry(
              "sessiontree.sort", List.of("sessiontree.event.Batch", "sessiontree.event.Children")),
          entry("sessiontree.store", List.of("sessiontree.event.", "sessiontree.sort.")),
          entry(
              "sessiontree.store.local",
              List.of(
                  "sessiontree.event.",
                  "sessiontree.metrics.",
                  "sessiontree.sort.",
                  "sessiontree.store.",
                  "sessiontree.store.log.")),
          entry("sessiontree.store.log", List.of()),
          entry(
              "sessiontree.store.postgres",
              List.of(
                  "sessiontree.event.",
                  "sessiontree.metrics.",
                  "sessiontree.sort.",
                  "sessiontree.store.")),
          entry(
              "sessiontree.session",
              List.of(
                  "sessiontree.event.",
                  "sessiontree.metrics.",
                  "sessiontree.sort.Cursor",
                  "sessiontree.store.")),
          entry(
              "sessiontree.web",
              List.of(
                  "sessiontree.event.",
                  "sessiontree.metrics.",
                  "sessiontree.session.",
                  "sessiontree.sort.Cursor",
                  "sessiontree.store.")),
          entry(
              "sessiontree",
              List.of(
                  "sessiontree.event.",
                  "sessiontree.metrics.",
                  "sessiontree.session.",
                  "sessiontree.store.",
                  "sessiontree.store.local.",
                  "sessiontree.store.postgres.",
                  "sessiontree.web.")));

  @Test
  void imports_followTheDirection() throws IOException {
    assertThat(wrongImports(SOURCES)).isEmpty();
  }

  @Test
  void wrongImport_isNamedWithFileAndLine(@TempDir Path sources) throws IOException {
    write(sources, "event", "import java.util.List;", "import sessiontree.sort.Cursor;");
    write(sources, "sort", "import static sessiontree.event.Problem.INVALID_JSON;");
    write(sources, "session", "import sessiontree.store.local.LocalStore;");
    write(sources, "store", "import org.eclipse.jetty.server.Request;");
    write(sources, "web", "import org.eclipse.jetty.server.Request;");
    write(sources, "other", "import java.util.List;");

    assertThat(wrongImports(sources))
        .containsExactlyInAnyOrder(
            "sessiontree/event/A.java:4 imports sessiontree.sort.Cursor",
            "sessiontree/sort/A.java:3 imports sessiontree.event.Problem.INVALID_JSON",
            "sessiontree/session/A.java:3 imports sessiontree.store.local.LocalStore",
            "sessiontree/store/A.java:3 imports org.eclipse.jetty.server.Request",
            "sessiontree/other/A.java:1 is in a package without a rule in ALLOWED");
  }

  @Test
  void files_haveAtMost400Lines() throws IOException {
    for (Path file : files(SOURCES)) {
      assertThat(Files.readAllLines(file)).as(file.toString()).hasSizeLessThanOrEqualTo(MAX_LINES);
    }
  }

  private static List<Path> files(Path sources) throws IOException {
    try (var walk = Files.walk(sources)) {
      List<Path> files = walk.filter(file -> file.toString().endsWith(".java")).sorted().toList();
      assertThat(files).isNotEmpty();
      return files;
    }
  }

  private static void write(Path sources, String pkg, String... imports) throws IOException {
    Path file = sources.resolve("sessiontree").resolve(pkg).resolve("A.java");
    Files.createDirectories(file.getParent());
    Files.writeString(file, "package sessiontree." + pkg + ";\n\n" + String.join("\n", imports));
  }

  private static List<String> wrongImports(Path sources) throws IOException {
    List<String> wrong = new ArrayList<>();
    for (Path file : files(sources)) {
      String name = sources.relativize(file).toString().replace('\\', '/');
      String pkg = name.substring(0, name.lastIndexOf('/')).replace('/', '.');
      if (!ALLOWED.containsKey(pkg)) {
        wrong.add(name + ":1 is in a package without a rule in ALLOWED");
        continue;
      }
      List<String> lines = Files.readAllLines(file);
      for (int i = 0; i < lines.size(); i++) {
        Matcher line = IMPORT.matcher(lines.get(i));
        if (line.lookingAt() && !mayImport(pkg, line.group(1))) {
          wrong.add(name + ":" + (i + 1) + " imports " + line.group(1));
        }
      }
    }
    return wrong;
  }

  private static boolean mayImport(String pkg, String imported) {
    if (HTTP.stream().anyMatch(imported::startsWith)) {
      return pkg.equals("sessiontree.web");
    }
    if (!imported.startsWith("sessiontree.")) {
      return true;
    }
    String of = imported.replaceFirst("\\.[A-Z*].*", "") + "."; // the imported type's package
    return of.equals(pkg + ".")
        || ALLOWED.get(pkg).stream()
            .anyMatch(allowed -> allowed.equals(of) || allowed.equals(imported));
  }
}
