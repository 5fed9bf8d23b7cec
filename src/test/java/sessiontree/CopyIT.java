package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.JarServer.Ended;

/** The command that copies a folder's sessions to a database. */
@FolderOnly
class CopyIT {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;
  private String database;
  private Path store;

  @BeforeEach
  void newDatabase() throws Exception {
    database = PostgresServers.shared().database("copy");
    store = folder.resolve("store");
  }

  private JarServer.Launch copy() {
    return JarServer.of(store).onlyFlags("copy", "--from", store.toString(), "--to", database);
  }

  private JarServer onDatabase() throws Exception {
    return JarServer.of(folder.resolve("x")).onlyFlags("--port=0", "--store", database).start();
  }

  private static void post(JarServer server, String id, String query, String... entries)
      throws Exception {
    HttpResult response =
        HttpResult.post(server, "/sessions/" + id + "/events" + query, Entries.message(entries));
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  private static void complete(JarServer server, String id) throws Exception {
    post(server, id, "", Entries.start(id), Entries.event("1569972084", id), Entries.end(id));
  }

  private static String get(JarServer server, String path) throws Exception {
    HttpResult response = HttpResult.send(server, "GET", path);
    assertThat(response.status()).as(path).isEqualTo(200);
    return response.body();
  }

  /** Returns the listed sessions as JSON, without cursors, which each store chooses itself. */
  private static List<String> listed(JarServer server) throws Exception {
    List<String> listed = new ArrayList<>();
    for (JsonNode one : JSON.readTree(get(server, "/sessions?limit=1000")).get("sessions")) {
      listed.add(one.toString());
    }
    return listed;
  }

  private static void assertLast(Ended ended, int code, String line) {
    assertThat(ended.output()).as("" + ended.errors()).last().isEqualTo(line);
    assertThat(ended.code()).isEqualTo(code);
  }

  @Test
  void copy_hasTheSameTreesListsAndWriters_andOpenSessionsGoOn() throws Exception {
    Map<String, String> trees = new TreeMap<>();
    List<String> listed;
    try (JarServer server =
        JarServer.start(store, "--memory-bytes=200k", "--log-bytes=1m")) { // to make it spill
      for (String id : List.of("b", "a", "gone", "c")) {
        complete(server, id);
      }
      post(server, "large", "?writer=w&message=1", Entries.start("large"));
      for (int message = 2; message < 6; message++) {
        String[] events = new String[5_000];
        for (int i = 0; i < events.length; i++) {
          events[i] = Entries.event("15699720" + (83 + i % 4), "e-" + message + "-" + i);
        }
        post(server, "large", "?writer=w&message=" + message, events);
        post(server, "open", "", message == 2 ? Entries.start("open") : events[0]);
        post(server, "open", "?writer=p&message=" + (message - 1), events);
      }
      post(server, "large", "?writer=w&message=6", Entries.end("large"));
      post(server, "fresh", "?writer=q&message=1", Entries.start("fresh"));
      post(
          server,
          "fresh",
          "",
          Entries.event("1569972085", "second"),
          Entries.event("1569972084", "1"));
      assertThat(HttpResult.send(server, "DELETE", "/sessions/gone").status()).isEqualTo(204);
      for (String id : List.of("a", "b", "c", "large")) {
        trees.put(id, get(server, "/sessions/" + id));
      }
      listed = listed(server);
      assertThat(listed).hasSize(6);
      assertThat(server.terminate()).isZero();
    }
    assertThat(trees.get("large").length()).isGreaterThan(1 << 20);

    String line =
        "copied %d complete and %d open sessions, %d were there already, 0 conflicts, 0 damaged";
    assertLast(copy().run(), 0, line.formatted(4, 2, 0));
    Map<String, String> ended = new TreeMap<>();
    try (JarServer server = onDatabase()) {
      for (String id : trees.keySet()) {
        assertThat(get(server, "/sessions/" + id)).isEqualTo(trees.get(id));
      }
      assertThat(HttpResult.send(server, "GET", "/sessions/gone").status()).isEqualTo(404);
      assertThat(listed(server)).isEqualTo(listed);
      assertLastNumber(server, "large", "w", 6);
      assertLastNumber(server, "open", "p", 4);
      assertLastNumber(server, "fresh", "q", 1);
      end(server, ended);
    }
    assertLast(copy().run(), 0, line.formatted(0, 0, 6));
    try (JarServer server = JarServer.start(store)) { // the way back: the folder still has it all
      Map<String, String> own = new TreeMap<>();
      end(server, own);
      assertThat(ended).isEqualTo(own);
    }
    Ended again = copy().run(); // complete on both sides, with the same begin times
    assertLast(again, 0, line.formatted(0, 0, 6));
  }

  private static void assertLastNumber(JarServer server, String id, String writer, long number)
      throws Exception {
    try (StreamClient client = StreamClient.connect(server.port(), id, writer)) {
      JsonNode open = client.next();
      assertThat(open.get("messages").asLong()).isEqualTo(number);
    }
  }

  /** Ends the open sessions, after events with timestamps that are already stored in them. */
  private static void end(JarServer server, Map<String, String> trees) throws Exception {
    for (String id : List.of("open", "fresh")) {
      post(server, id, "", Entries.event("1569972084", "late"), Entries.event("1569972083", "x"));
      post(server, id, "", Entries.end(id));
      trees.put(id, get(server, "/sessions/" + id));
    }
  }

  @Test
  void killedCopy_goesOnWhenItIsRunAgain() throws Exception {
    int sessions = 3_000;
    try (JarServer server = JarServer.start(store)) {
      for (int i = 0; i < sessions; i++) {
        complete(server, "s" + i);
      }
      assertThat(server.terminate()).isZero();
    }
    PostgresServers servers = PostgresServers.shared();
    String count = "SELECT count(*) FROM sessiontree.session";
    JarServer killed = copy().launch();
    try {
      Await.until(
          "some are there",
          () ->
              servers
                      .sql(
                          servers.primary(),
                          "copy",
                          "SELECT to_regclass('sessiontree.session') IS NULL")
                      .equals("f")
                  && !servers.sql(servers.primary(), "copy", count).equals("0"));
    } finally {
      killed.kill();
    }
    int there = Integer.parseInt(servers.sql(servers.primary(), "copy", count));
    assertThat(there).isPositive();
    assertLast(
        copy().run(),
        0,
        "copied %d complete and 0 open sessions, %d were there already, 0 conflicts, 0 damaged"
            .formatted(sessions - there, there));
    try (JarServer server = onDatabase()) {
      assertThat(get(server, "/sessions/s2999")).contains("s2999");
    }
  }

  @Test
  void idThatTheDatabaseHasOfAnother_isAConflict_andLeft() throws Exception {
    try (JarServer server = JarServer.start(store);
        JarServer other = onDatabase()) {
      complete(server, "a");
      complete(server, "b");
      post(other, "a", "", Entries.start("a"));
      assertThat(server.terminate()).isZero();
      Ended ended = copy().run();
      assertLast(
          ended,
          1,
          "copied 1 complete and 0 open sessions, 0 were there already, 1 conflicts, 0 damaged");
      assertThat(ended.errors()).anyMatch(line -> line.startsWith("session=a "));
      assertThat(HttpResult.send(other, "GET", "/sessions/a").status()).isNotEqualTo(200);
      assertThat(get(other, "/sessions/b")).contains("\"b\"");
    }
  }

  @Test
  void damagedSession_isNamed_andLeftOut() throws Exception {
    try (JarServer server = JarServer.start(store)) {
      complete(server, "sound");
      complete(server, "damaged");
      assertThat(server.terminate()).isZero();
    }
    try (Stream<Path> files = Files.walk(store.resolve("sessions"))) {
      Path tree =
          files
              .filter(file -> file.getFileName().toString().startsWith("damaged"))
              .findFirst()
              .get();
      Files.writeString(tree, "no tree");
    }
    Ended ended = copy().run();
    assertLast(
        ended,
        0,
        "copied 1 complete and 0 open sessions, 0 were there already, 0 conflicts, 1 damaged");
    assertThat(ended.errors()).anyMatch(line -> line.startsWith("session=damaged is damaged"));
  }

  @Test
  void folderInUse_isOneLine() throws Exception {
    try (JarServer server = JarServer.start(store)) {
      Ended ended = copy().run();
      assertThat(ended.code()).isEqualTo(1);
      assertThat(ended.errors()).singleElement().asString().contains("another process");
      assertThat(HttpResult.send(server, "GET", "/health").status()).isEqualTo(200);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--from=nowhere --to=postgresql://app@127.0.0.1:1/x",
        "--from=nowhere",
        "--to=postgresql://app@127.0.0.1:1/x",
        "--from=. --to=./data",
        "--from",
        "--port=1",
        "more"
      })
  void wrongArguments_areOneLine(String arguments) throws Exception {
    JarServer.Launch launch = JarServer.of(store).onlyFlags("copy");
    Ended ended = (arguments.isEmpty() ? launch : launch.flags(arguments.split(" "))).run();
    assertThat(ended.code()).isEqualTo(2);
    assertThat(ended.errors()).singleElement().asString().startsWith("sessiontree: ");
    assertThat(folder.resolve("nowhere")).doesNotExist();
  }
}
