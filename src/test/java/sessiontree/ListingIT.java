package sessiontree;

import static java.util.Comparator.naturalOrder;
import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.bound;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lists of sessions, page by page. */
class ListingIT {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;
  private JarServer server;

  @BeforeEach
  void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterEach
  void endServer() throws Exception {
    server.close();
  }

  private void post(String id, String... entries) throws Exception {
    HttpResult response = HttpResult.post(server, "/sessions/" + id + "/events", message(entries));
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  private List<String> open(String prefix, int count) throws Exception {
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      ids.add(prefix + i);
      post(prefix + i, start(prefix + i));
    }
    return ids;
  }

  private void complete(List<String> ids) throws Exception {
    for (String id : ids) {
      post(id, end(id));
    }
  }

  private JsonNode list(String query) throws Exception {
    HttpResult response = HttpResult.send(server, "GET", "/sessions" + query);
    assertThat(response.status()).as(response.body()).isEqualTo(200);
    assertThat(response.headers()).containsEntry("content-type", "application/json");
    return JSON.readTree(response.body());
  }

  private static List<String> ids(JsonNode page) {
    return page.path("sessions").findValuesAsText("session_id");
  }

  /** Returns the ids on all pages. */
  private List<String> all(String query) throws Exception {
    return from(query, list("?" + query));
  }

  /** Returns the ids on {@code first} and on all pages after it. */
  private List<String> from(String query, JsonNode first) throws Exception {
    List<String> ids = new ArrayList<>(ids(first));
    for (JsonNode page = first; page.has("next"); ) {
      assertThat(ids).doesNotHaveDuplicates();
      page = list("?" + query + "&cursor=" + page.path("next").asText());
      ids.addAll(ids(page));
    }
    return ids;
  }

  @Test
  void noSessions_areAnEmptyPage() throws Exception {
    try (RawStream stream = RawStream.connect(server.port(), "new")) {
      stream.next("OPEN");
      assertThat(HttpResult.send(server, "GET", "/sessions").body()).isEqualTo("{\"sessions\":[]}");
    }
  }

  @Test
  void session_isListedWithWhatIsKnownOfIt_numbersAsTheyWereSent() throws Exception {
    Instant before = Instant.now().minusMillis(1);
    post("s", bound("SESSION_START", "1e9", "s"), event("1", "a"));
    assertThat(HttpResult.send(server, "GET", "/sessions").body())
        .isEqualTo(
            "{\"sessions\":[{\"session_id\":\"s\",\"state\":\"open\",\"begun\":\"%s\",\"start\":1e9,\"entries\":2}]}"
                .formatted(only().path("begun").asText()));
    post("s", bound("SESSION_END", "100.50", "s"));
    int bytes = HttpResult.send(server, "GET", "/sessions/s").body().length();
    assertThat(HttpResult.send(server, "GET", "/sessions").body())
        .isEqualTo(
            "{\"sessions\":[{\"session_id\":\"s\",\"state\":\"complete\",\"begun\":\"%s\",\"completed\":\"%s\",\"start\":1e9,\"end\":100.50,\"bytes\":%d}]}"
                .formatted(
                    only().path("begun").asText(), only().path("completed").asText(), bytes));
    Instant begun = Instant.parse(only().path("begun").asText());
    Instant completed = Instant.parse(only().path("completed").asText());
    assertThat(begun).isBetween(before, completed);
    assertThat(completed).isBefore(Instant.now().plusMillis(1));
  }

  private JsonNode only() throws Exception {
    return list("").path("sessions").path(0);
  }

  @Test
  void newestFirst_betweenTimes_overAKill() throws Exception {
    List<String> ids = open("s", 30);
    complete(ids.subList(0, 20));
    List<String> newest = new ArrayList<>(ids);
    Collections.reverse(newest);
    for (int start = 0; start < 2; start++) {
      assertThat(all("order=newest&limit=7")).isEqualTo(newest);
      assertThat(all("order=oldest&limit=7")).isEqualTo(ids);
      assertThat(all("limit=7")).isEqualTo(ids);
      String tenth = list("").path("sessions").path(10).path("begun").asText();
      assertThat(all("order=newest&limit=4&since=" + tenth)).isEqualTo(newest.subList(0, 20));
      assertThat(all("order=newest&limit=4&until=" + tenth)).isEqualTo(newest.subList(20, 30));
      assertThat(all("limit=4&since=" + tenth)).isEqualTo(ids.subList(10, 30));
      assertThat(all("state=open&order=newest&limit=4&since=" + tenth))
          .isEqualTo(newest.subList(0, 10));
      long second = Instant.parse(tenth).getEpochSecond();
      assertThat(all("since=" + (second + 100))).isEmpty();
      assertThat(all("until=" + (second + 100) + ".5")).isEqualTo(ids);
      assertThat(all("since=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59.9Z")).isEqualTo(ids);
      String elsewhere =
          OffsetDateTime.ofInstant(Instant.parse(tenth), ZoneOffset.ofHours(5)).toString();
      assertThat(all("since=" + elsewhere.replace("+", "%2B"))).isEqualTo(ids.subList(10, 30));
      server.kill();
      server = JarServer.start(folder.resolve("store"));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 1000})
  void pages_holdEachSessionOnce_andOnlyThoseOfTheState(int limit) throws Exception {
    List<String> complete = open("complete", 30);
    complete(complete);
    List<String> open = open("open", 30);
    List<String> both = new ArrayList<>(complete);
    both.addAll(open);
    assertThat(all("limit=" + limit)).containsExactlyInAnyOrderElementsOf(both);
    assertThat(all("state=open&limit=" + limit)).containsExactlyInAnyOrderElementsOf(open);
    assertThat(all("state=complete&limit=" + limit)).containsExactlyInAnyOrderElementsOf(complete);
    assertThat(all("limit=" + limit)).as("in the same order").isEqualTo(all("limit=7"));
  }

  @Test
  void pages_holdEachSessionOnce_whileSessionsCompleteAndBegin() throws Exception {
    List<String> ids = open("s", 200);
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      Future<?> busy =
          other.submit(
              () -> {
                for (String id : ids) {
                  post(id, event("1", "e"), end(id));
                  post("new-" + id, start("new-" + id));
                }
                return null;
              });
      for (int round = 0; round == 0 || !busy.isDone(); round++) {
        List<String> listed = all("limit=9");
        assertThat(listed).doesNotHaveDuplicates().containsAll(ids);
      }
      busy.get();
      assertThat(all("state=complete&limit=9")).containsExactlyInAnyOrderElementsOf(ids);
      assertThat(all("state=open&limit=9")).hasSize(ids.size());
    } finally {
      other.shutdownNow();
    }
  }

  @Test
  void lastPage_hasNoNext_alsoWhenItIsFull() throws Exception {
    open("open", 20);
    complete(open("complete", 20));
    for (String state : new String[] {"&state=open", "&state=complete"}) {
      assertThat(list("?limit=20" + state).has("next")).isFalse();
      JsonNode first = list("?limit=10" + state);
      assertThat(ids(first)).hasSize(10);
      JsonNode second = list("?limit=10" + state + "&cursor=" + first.path("next").asText());
      assertThat(ids(second)).hasSize(10);
      assertThat(second.has("next")).isFalse();
    }
    assertThat(list("?limit=40").has("next")).isFalse();
    assertThat(list("?limit=39").has("next")).isTrue();
  }

  @Test
  void page_hasAHundredSessions_whereNoLimitIsGiven() throws Exception {
    open("s", 101);
    JsonNode first = list("");
    assertThat(ids(first)).hasSize(100);
    assertThat(ids(list("?cursor=" + first.path("next").asText()))).hasSize(1);
  }

  @Test
  void cursor_goesOnAfterARestart() throws Exception {
    complete(open("complete", 10));
    open("open", 10);
    List<String> before = all("limit=20");
    JsonNode first = list("?limit=11");
    server.kill();
    server = JarServer.start(folder.resolve("store"));
    assertThat(from("limit=3", first)).isEqualTo(before);
  }

  @Test
  void cursor_goesOnBehindASession_thatIsDeleted() throws Exception {
    open("s", 20);
    List<String> all = all("limit=20");
    JsonNode first = list("?limit=10");
    HttpResult.send(server, "DELETE", "/sessions/" + all.get(9));
    HttpResult.send(server, "DELETE", "/sessions/" + all.get(10));
    List<String> left = new ArrayList<>(all);
    left.remove(10);
    assertThat(from("limit=4", first)).isEqualTo(left);
  }

  @Test
  void ids_areListedAsTheyWereGiven() throws Exception {
    List<String> ids = List.of("a", "A", "aB", "Ab", "Z~.-_9", "X".repeat(128));
    for (String id : ids) {
      post(id, start(id));
    }
    assertThat(all("limit=2")).containsExactlyInAnyOrderElementsOf(ids);
    complete(ids);
    assertThat(all("limit=2")).containsExactlyInAnyOrderElementsOf(ids);
  }

  @Test
  void invalidParameter_isRefused() throws Exception {
    for (String query :
        List.of(
            "limit=0",
            "order=OLDEST",
            "order=",
            "since=",
            "since=yesterday",
            "since=2026-03-01",
            "since=-1",
            "since=1e9",
            "until=1772355600123",
            "until=1969-12-31T23:59:59Z",
            "until=2026-13-01T00:00:00Z",
            "sort=newest",
            "LIMIT=1",
            "=",
            "limit=-1",
            "limit=1001",
            "limit=1.5",
            "limit=x",
            "limit=",
            "limit=99999999999999999999",
            "limit=%zz",
            "limit=1&limit=2",
            "state=OPEN",
            "state=new",
            "state=open,complete",
            "cursor=",
            "cursor=!",
            "cursor=x",
            "cursor=Li4vLi4vZXRjL3Bhc3N3ZA",
            "cursor=%00")) {
      RawHttp response = RawHttp.get(server.port(), "/sessions?" + query);
      ProblemDetails.assertProblem(response, 400, "invalid_parameter");
    }
  }

  @Test
  @FolderOnly
  void damagedFilesOfTheJournal_areLoggedAtTheStart_andTheServerGoesOn() throws Exception {
    List<String> ids = open("a", 3);
    complete(ids);
    server.close();
    Path journal = folder.resolve("store/journal");
    Files.write(journal.resolve("begun"), new byte[12]);
    server = JarServer.start(folder.resolve("store"));
    assertThat(server.complaints()).contains("WARN", "the journal is made anew", "begun");
    assertThat(ids(list(""))).containsExactlyInAnyOrderElementsOf(ids);

    server.close();
    try (Stream<Path> files = Files.list(journal)) {
      Path newest =
          files.filter(file -> file.toString().endsWith(".txt")).max(naturalOrder()).get();
      Files.delete(newest);
      Files.createDirectory(newest);
    }
    server = JarServer.start(folder.resolve("store"));
    assertThat(server.complaints()).contains("WARN", "the newest journal file cannot be rewritten");
    complete(open("b", 1));
  }
}
