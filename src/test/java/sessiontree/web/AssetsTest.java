package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class AssetsTest {
  @Test
  void everyFileOfTheFolder_isServed() throws IOException {
    Set<String> served = new TreeSet<>(Assets.PAGE);
    served.addAll(Set.of(Assets.INDEX, Assets.CLIENT, Assets.TYPES));
    try (Stream<Path> files = Files.list(Path.of("src/main/resources/sessiontree/page"))) {
      assertThat(files.map(file -> file.getFileName().toString()).collect(Collectors.toSet()))
          .containsExactlyInAnyOrderElementsOf(served);
    }
  }
}
