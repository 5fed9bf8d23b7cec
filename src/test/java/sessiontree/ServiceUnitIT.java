package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The systemd unit that the manual installs is valid, and its command starts a server. */
@Timeout(120)
class ServiceUnitIT {
  private static final Path UNIT = Path.of("src/main/scripts/sessiontree.service");
  private static final String COMMAND = "ExecStart=/usr/bin/java ";

  @TempDir private Path folder;
  private static String unit;

  @BeforeAll
  static void readUnit() throws Exception {
    unit = Files.readString(UNIT);
  }

  /** Skipped if systemd is missing: see {@link Programs}. */
  @Test
  void unit_isValidToSystemd() throws Exception {
    String program = Programs.find("systemd-analyze", "apt-get install systemd");
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    Files.writeString(
        folder.resolve(UNIT.getFileName()), unit.replace("/usr/bin/java", java.toString()));
    Programs.Ended verified =
        Programs.run(
            folder, List.of("sh", "-c", program + " verify ./" + UNIT.getFileName() + " 2>&1"));
    assertThat(verified.output()).doesNotContain(UNIT.getFileName().toString());
    assertThat(verified.code()).isZero();
  }

  @Test
  void command_startsAServer_withTheTokensOfItsFiles() throws Exception {
    Files.writeString(folder.resolve("write-token"), "writing\n");
    Files.writeString(folder.resolve("read-token"), "reading\n");
    String[] words =
        unit.lines()
            .filter(line -> line.startsWith(COMMAND))
            .findFirst()
            .orElseThrow()
            .substring(COMMAND.length())
            .replace("${STATE_DIRECTORY}", folder.resolve("store").toString())
            .replace("${CREDENTIALS_DIRECTORY}", folder.toString())
            .split(" ");
    int jar = Arrays.asList(words).indexOf("-jar");
    String[] flags = Arrays.copyOfRange(words, jar + 2, words.length);
    try (JarServer server =
        JarServer.of(folder.resolve("store"))
            .java(Arrays.copyOf(words, jar))
            .onlyFlags(flags)
            .variable("SESSIONTREE_PORT", "0")
            .start()) {
      assertThat(HttpResult.send(server, "GET", "/sessions").status()).isEqualTo(401);
      String[] token = {"Authorization", "Bearer reading"};
      assertThat(HttpResult.send(server, "GET", "/sessions", token).status()).isEqualTo(200);
      assertThat(server.terminate()).isZero(); // SIGTERM is a stop, not a failure
    }
  }
}
