package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The page never makes markup of what clients sent, and requests nothing from other hosts. */
class PageSourceTest {
  static List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("src/main/resources/sessiontree/page"))) {
      return files.filter(file -> !file.toString().endsWith(".d.ts")).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void page_hasNoWayFromTextToMarkupOrCode(Path file) throws IOException {
    assertThat(Files.readString(file))
        .doesNotContainPattern("(?:inner|outer)HTML|insertAdjacentHTML|setHTML|srcdoc")
        .doesNotContainPattern("createContextualFragment|DOMParser|document\\.write")
        .doesNotContainPattern("\\beval\\(|new Function|javascript:");
  }

  @ParameterizedTest
  @MethodSource("files")
  void page_namesNoOtherHost(Path file) throws IOException {
    assertThat(Files.readString(file).replace("http://www.w3.org/2000/svg", ""))
        .doesNotContainPattern("(?:src|href|import|from|fetch|url)\\W{0,3}(?:https?:)?//");
  }
}
