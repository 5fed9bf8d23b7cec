package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.newId;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The browser client in Node, as an npm package. */
@Timeout(120)
class ClientNodeIT {
  private static final Path PACKAGE = Path.of("src/main/npm").toAbsolutePath();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SCRIPT =
      """
      import {SessionTree} from 'sessiontree';
      const [url, id, token] = process.argv.slice(2);
      const session = new SessionTree({url, id, token: 'wrong', getToken: async () => token}).start();
      for (let i = 0; i < 1000; i++) {
        session.event(`event${i}`, {i});
        if (i % 100 === 0) await new Promise(resolve => setTimeout(resolve, 10));
      }
      console.log(await session.end());
      """;

  @TempDir private Path folder;

  @Test
  void packageOfTheClient_sendsFromNode_byPostAndByWebSocket() throws Exception {
    String node = Programs.find("node", "apt-get install nodejs");
    String npm = Programs.find("npm", "apt-get install npm");
    Programs.run(folder, List.of(npm, "pack", "--pack-destination=" + folder, PACKAGE.toString()))
        .orFail();
    Files.writeString(folder.resolve("package.json"), "{}");
    Files.writeString(folder.resolve("send.mjs"), SCRIPT);
    Programs.run(folder, List.of(npm, "install", "--offline", "--no-audit", "--no-fund", tarball()))
        .orFail();
    assertThat(folder.resolve("node_modules/sessiontree/sessiontree.d.ts")).exists();
    try (JarServer server =
        JarServer.start(folder.resolve("store"), "--write-token=right", "--read-token=read")) {
      for (String option : List.of("--no-warnings", "--experimental-websocket")) {
        String id = newId();
        String url = server.uri("").toString();
        assertThat(
                Programs.run(folder, List.of(node, option, "send.mjs", url, id, "right")).orFail())
            .isEqualTo(url + "/sessions/" + id + "\n");
        JsonNode children =
            JSON.readTree(
                    RawHttp.get(server.port(), "/sessions/" + id + "?access_token=read").body())
                .path("children");
        assertThat(children).as(option).hasSize(1000);
        for (int i = 0; i < 1000; i++) {
          assertThat(children.get(i).path("i").asInt(-1)).isEqualTo(i);
        }
      }
    }
  }

  @Test
  void package_hasTheVersionOfTheServer() throws IOException {
    String version =
        JSON.readTree(PACKAGE.resolve("package.json").toFile()).path("version").asText();
    assertThat(Files.readString(Path.of("pom.xml"))).contains("<version>" + version + "</version>");
  }

  private String tarball() throws IOException {
    try (var files = Files.newDirectoryStream(folder, "*.tgz")) {
      return files.iterator().next().toString();
    }
  }
}
