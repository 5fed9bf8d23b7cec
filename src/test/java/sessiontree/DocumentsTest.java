package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.event.Problem;

/** Checks the README and the manual: links, names of tests, flags, defaults and codes. */
class DocumentsTest {
  private static final Path README = Path.of("README.md");
  private static final Path MANUAL = Path.of("src/site/markdown");
  private static final int MAX_README_BYTES = 12 << 10;

  private static final Pattern LINK = Pattern.compile("]\\(([^)]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
  private static final Pattern FLAG = Pattern.compile("`--([a-z-]+)`");

  /** A table row that begins with a code and its status, or a dash for none. */
  private static final Pattern CODE =
      Pattern.compile("(?m)^\\| `([a-z_]+)` \\| (?:[0-9]{3}|–) \\|");

  private static final Pattern CLASS = Pattern.compile("`([A-Z][A-Za-z]+(?:IT|Test|Contract))`");

  static List<Path> pages() throws IOException {
    try (Stream<Path> manual = Files.list(MANUAL)) {
      return Stream.concat(Stream.of(README), manual).sorted().toList();
    }
  }

  @Test
  void readme_isShort() throws IOException {
    assertThat(Files.size(README)).isLessThanOrEqualTo(MAX_README_BYTES);
  }

  @ParameterizedTest
  @MethodSource("pages")
  void links_leadToFilesAndHeadings(Path page) throws IOException {
    for (String link : found(LINK, Files.readString(page))) {
      if (link.startsWith("https://")) {
        continue;
      }
      String[] parts = link.split("#", 2);
      Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
      assertThat(target).as(link + " in " + page).exists();
      if (parts.length == 2) {
        assertThat(anchors(target)).as(link + " in " + page).contains(parts[1]);
      }
    }
  }

  /** Returns the anchors that GitHub makes of a page's headings. */
  private static List<String> anchors(Path page) throws IOException {
    return found(HEADING, Files.readString(page)).stream()
        .map(heading -> heading.toLowerCase(Locale.ROOT))
        .map(heading -> heading.replaceAll("[^a-z0-9 -]", "").replace(' ', '-'))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void testsThatAreNamed_exist(Path page) throws IOException {
    Set<String> named = new TreeSet<>(found(CLASS, Files.readString(page)));
    try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
      assertThat(files.map(file -> file.getFileName().toString().replace(".java", "")))
          .as(page.toString())
          .containsAll(named);
    }
  }

  @Test
  void manual_hasEveryFlag_itsVariable_andItsDefault() throws IOException {
    List<String> rows = rowsOfFlags(MANUAL.resolve("operations.md"));
    List<String> flags = new ArrayList<>();
    for (String row : rows) {
      String flag = found(FLAG, row).get(0);
      flags.add(flag);
      if (!flag.equals("help")) {
        assertThat(row)
            .contains("`SESSIONTREE_" + flag.toUpperCase(Locale.ROOT).replace('-', '_') + "`");
      }
    }
    flags.add("version"); // documented in the row of help
    String help = help();
    assertThat(found(Pattern.compile("--([a-z-]+)"), help))
        .containsExactlyInAnyOrderElementsOf(flags);
    for (String row : rows) {
      assertDefault(row, help);
    }
  }

  @Test
  void readmesFlags_haveTheirDefaults() throws IOException {
    String help = help();
    for (String row : rowsOfFlags(README)) {
      assertDefault(row, help);
    }
  }

  private static List<String> rowsOfFlags(Path page) throws IOException {
    return Files.readAllLines(page).stream().filter(line -> line.startsWith("| `--")).toList();
  }

  /** Asserts that the row has each flag's default, if help states one. */
  private static void assertDefault(String row, String help) {
    for (String flag : found(FLAG, row)) {
      Pattern ofFlag = Pattern.compile("--" + flag + "\\b(.*?)(?= --[a-z]| Each option)");
      String shown = found(ofFlag, help).stream().findFirst().orElse("");
      for (String value :
          found(Pattern.compile("Default: ([^ ]*[0-9./][^ ]*|info)\\. "), shown + " ")) {
        assertThat(row).contains("`" + value + "`");
      }
    }
  }

  private static String help() throws IOException {
    ByteArrayOutputStream help = new ByteArrayOutputStream();
    Flags.help(new PrintStream(help, true, StandardCharsets.UTF_8));
    return help.toString(StandardCharsets.UTF_8).replaceAll("\\s+", " ");
  }

  @Test
  void manual_hasEveryCode() throws IOException {
    Set<String> codes =
        Arrays.stream(Problem.values()).map(Problem::code).collect(Collectors.toSet());
    codes.add("internal");
    assertThat(found(CODE, Files.readString(MANUAL.resolve("api.md"))))
        .containsExactlyInAnyOrderElementsOf(codes);
  }

  private static List<String> found(Pattern pattern, String text) {
    return pattern.matcher(text).results().map((MatchResult each) -> each.group(1)).toList();
  }
}
