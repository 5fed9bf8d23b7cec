package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Entries.newId;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.WindowType;
import org.openqa.selenium.chrome.ChromeDriver;

/** The browser client in a real browser, on pages whose origin is not the server's. */
@Timeout(180)
class ClientChromiumIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int ROUNDS = 20;
  private static final int STEPS = 6;

  /** A page that draws no frame for so long counts as frozen, even on the slowest machine. */
  private static final int FROZEN_MILLIS = 1000;

  private static final String TOKEN = "written-by-the-test";

  @TempDir private static Path folder;
  private static ChromeDriver browser;
  private static String firstTab; // stays without a page
  private static ClientPage page;
  private static BreakableNetwork network;
  private static JarServer server;

  private final String id = newId();
  private int events; // made so far, and expected in the tree

  @BeforeAll
  static void start() throws Exception {
    browser = Chromium.start(folder);
    firstTab = browser.getWindowHandle();
    page = new ClientPage();
    startServer();
  }

  private static void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"), "--allowed-origin", page.origin());
    if (network != null) {
      network.leadTo(server);
    }
  }

  @BeforeEach
  void mend() throws Exception {
    network = new BreakableNetwork();
    network.leadTo(server);
  }

  @AfterAll
  static void end() throws Exception {
    if (browser != null) {
      browser.quit();
      page.close();
      server.close();
    }
  }

  // --- Steps and assertions.

  /** Runs the body of an async function of {@code a} and {@code b}; returns its result as JSON. */
  private static String run(String body, Object... arguments) {
    String script =
        "const done = arguments[arguments.length - 1];"
            + "(async (a, b) => {"
            + body
            + "})(...arguments).then(value => done(JSON.stringify(value)), error => done(String(error)))";
    return (String) browser.executeAsyncScript(script, arguments);
  }

  private void openTab() {
    browser.switchTo().newWindow(WindowType.TAB);
    openPage("{}");
  }

  /** Loads the page, which begins the session or continues it. */
  private void openPage(String options) {
    browser.get(page.origin());
    run("begin({url: a, id: b, " + options.substring(1) + ")", network.url(), id);
  }

  /** Closes the tab, as a user does, and switches to the tab {@code next}. */
  private static void closeTab(String next) {
    browser.close();
    browser.switchTo().window(next);
  }

  /** Mends the network, and fires the event that browsers fire when they are online again. */
  private static void mendNetwork() {
    network.mend();
    browser.executeScript("dispatchEvent(new Event('online'))");
  }

  /** Makes {@code count} events at once, in one task of the page. */
  private void makeEvents(int count) {
    browser.executeScript(
        "for (let i = 0; i < arguments[1]; i++) session.event(`event${arguments[0] + i}`)",
        events,
        count);
    events += count;
  }

  /** Makes {@code count} events one by one, spread over {@code withinMillis}. */
  private void makeEvents(int count, int withinMillis) {
    run(
        """
        for (let i = 0; i < a[1]; i++) {
          session.event(`event${a[0] + i}`);
          await new Promise(resolve => setTimeout(resolve, a[2] / a[1]));
        }
        """,
        List.of(events, count, withinMillis));
    events += count;
  }

  private void endSession() {
    assertThat(run("return session.end()"))
        .isEqualTo("\"" + network.url() + "/sessions/" + id + "\"");
  }

  /** Asserts that the tree has each event once, in the order in which they were made. */
  private void assertStored(String description) throws Exception {
    JsonNode tree = JSON.readTree(RawHttp.get(server.port(), "/sessions/" + id).body());
    List<String> names = new ArrayList<>();
    tree.path("children").forEach(child -> names.add(child.path("name").asText()));
    assertThat(names)
        .as(description)
        .containsExactlyElementsOf(IntStream.range(0, events).mapToObj(i -> "event" + i).toList());
  }

  private static String problems() {
    return run("return problems");
  }

  // --- Tests.

  /** Kills the server, cuts the network, reloads the page and closes the tab, at random. */
  @Test
  void eventsOfPagesThatComeAndGo_areStoredOnce_whateverBreaks() throws Exception {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int round = 0; round < ROUNDS; round++) {
      ClientChromiumIT session = new ClientChromiumIT();
      List<String> steps = new ArrayList<>();
      session.openTab();
      for (int step = 0; step < STEPS; step++) {
        steps.add(session.takeStep(random));
      }
      mendNetwork();
      if (random.nextBoolean()) {
        closeTab(firstTab);
        session.openTab();
      }
      session.endSession();
      session.assertStored("round " + round + " of seed " + seed + ": " + steps);
      assertThat(problems()).as("seed " + seed + ": " + steps).isEqualTo("[]");
      closeTab(firstTab);
    }
  }

  private String takeStep(Random random) throws Exception {
    int count = 1 + random.nextInt(random.nextBoolean() ? 10 : 1000);
    int millis = random.nextInt(300);
    switch (random.nextInt(9)) {
      case 0 -> {
        server.kill();
        makeEvents(count, millis);
        startServer();
        return "the server is killed, with " + count + " events in " + millis + " ms";
      }
      case 1 -> {
        network.cut();
        return "the network is cut";
      }
      case 2, 3 -> {
        mendNetwork();
        return "the network is mended";
      }
      case 4 -> {
        openPage("{}");
        return "the page is loaded again";
      }
      case 5 -> {
        closeTab(firstTab);
        openTab();
        return "the tab is closed, and another opened";
      }
      case 6 -> {
        makeEvents(count);
        return count + " events at once";
      }
      default -> {
        makeEvents(count % 100, millis);
        return count % 100 + " events in " + millis + " ms";
      }
    }
  }

  @Test
  void twoTabs_feedOneSession() throws Exception {
    openTab();
    String first = browser.getWindowHandle();
    openTab();
    String second = browser.getWindowHandle();
    for (int i = 0; i < 20; i++) {
      browser.switchTo().window(i % 2 == 0 ? first : second);
      makeEvents(1 + i);
    }
    network.cut();
    makeEvents(10); // left unsent by the closed tab, but stored before the end
    closeTab(first);
    network.mend();
    endSession();
    assertStored("two tabs");
    assertThat(problems()).isEqualTo("[]");
  }

  /** A page that holds the closed tab's lock for a while stands for a tab that is slow to close. */
  @Test
  void tabThatIsSlowToClose_leavesItsEventsToTheEnd() throws Exception {
    openTab();
    String first = browser.getWindowHandle();
    openTab();
    makeEvents(1);
    awaitEntries(2);
    network.cut();
    makeEvents(10);
    String second = browser.getWindowHandle();
    browser.switchTo().window(first);
    run(
        """
        const {held} = await navigator.locks.query();
        for (const {name} of held) {
          if (name.startsWith(a)) navigator.locks.request(name, () => new Promise(end => window.letGo = end));
        }
        """,
        "sessiontree " + network.url() + " " + id);
    browser.switchTo().window(second);
    closeTab(first);
    run("while (!window.letGo) await new Promise(resolve => setTimeout(resolve, 10))");
    network.mend();
    run("setTimeout(letGo, 300)");
    endSession();
    assertStored("slow to close");
    assertThat(problems()).isEqualTo("[]");
  }

  @Test
  void whereWebSocketsAreRefused_messagesArePosted() throws Exception {
    network.refuseWebSockets();
    openTab();
    makeEvents(2000);
    network.cut();
    makeEvents(100, 300);
    mendNetwork();
    makeEvents(100, 300);
    openPage("{}");
    makeEvents(1);
    endSession();
    assertStored("posted");
  }

  @ParameterizedTest
  @CsvSource({
    "503 Service Unavailable, application/problem+json, {\"code\":\"storage_unavailable\"}",
    "503 Service Unavailable, text/html, <p>the proxy finds no server",
    "200 OK, text/html, <p>the hotel wants your room number"
  })
  void responseThatIsNoAck_isWaitedOut(String status, String type, String body) throws Exception {
    openTab();
    makeEvents(100, 100);
    network.respond(status, type, body);
    makeEvents(100, 500);
    mendNetwork();
    makeEvents(1);
    endSession();
    assertStored(status + " " + body);
    assertThat(problems()).isEqualTo("[]");
  }

  @Test
  void pathThatIsNotTheServers_isReportedOnce_andRetried() throws Exception {
    openTab();
    makeEvents(100, 100);
    network.respond("404 Not Found", "text/html", "<p>no such page");
    makeEvents(100, 2000);
    mendNetwork();
    makeEvents(1);
    endSession();
    assertStored("404");
    assertThat(problems()).as("one, without a code or entries").isEqualTo("[\"\"]");
  }

  /**
   * The session has begun elsewhere, so the page's SESSION_START is dropped. Its first event was
   * sent as message 2 when the page was left, and must not be stored under that number after it was
   * stored as the first.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lateRequestOfALeftPage_whoseSessionHadBegun_isNotStored(boolean reloaded) throws Exception {
    RawHttp.post(server.port(), "/sessions/" + id + "/events", Entries.message(Entries.start(id)));
    network.cut();
    openTab();
    run(
        """
        const send = window.fetch;
        window.late = [];
        window.fetch = (url, options) => {
          if (!options.keepalive) return send(url, options);
          late.push([url, options.body]);
          return new Promise(() => {});
        };
        dispatchEvent(new Event('pagehide')); // sends SESSION_START
        session.event('event0');
        dispatchEvent(new Event('pagehide'));
        """);
    events = 1;
    String late = run("return late");
    assertThat(late).contains("message=2");
    mendNetwork();
    if (reloaded) {
      openPage("{}");
    }
    awaitEntries(2);
    run("for (const [url, body] of JSON.parse(a)) await fetch(url, {method: 'POST', body})", late);
    makeEvents(1);
    endSession();
    assertStored("late");
  }

  /** A request that outlives the page must send its last event, as no next page follows. */
  @Test
  void pageThatIsLeft_sendsWhatWaits() throws Exception {
    openTab();
    makeEvents(1);
    awaitEntries(2);
    browser.executeScript("session.event('event1'); location = 'about:blank'");
    awaitEntries(3);
    closeTab(firstTab);
  }

  @Test
  void tabThatCrashes_leavesItsOutboxToTheNextPage() throws Exception {
    openTab();
    network.cut();
    makeEvents(1000);
    assertThatThrownBy(() -> browser.executeCdpCommand("Page.crash", Map.of()))
        .hasMessageContaining("crash");
    closeTab(firstTab);
    network.mend();
    openTab();
    endSession();
    assertStored("left by a crash");
    closeTab(firstTab);
  }

  private void awaitEntries(int expected) throws Exception {
    Await.until(
        expected + " are stored",
        () ->
            JSON.readTree(RawHttp.get(server.port(), "/sessions/" + id).body())
                    .path("entries")
                    .asInt()
                == expected);
  }

  @Test
  void tokenThatIsRefused_isReplacedOnce() throws Exception {
    try (JarServer other =
        JarServer.start(
            folder.resolve("other"),
            "--allowed-origin=" + page.origin(),
            "--write-token=" + TOKEN,
            "--read-token=read",
            "--write-token=a+b/c")) {
      network.leadTo(other);
      browser.switchTo().newWindow(WindowType.TAB);
      for (String right : List.of(TOKEN, "a+b/c")) {
        String options =
            "{token: 'wrong', getToken: async () => (window.asked = (window.asked ?? 0) + 1, '"
                + right
                + "')}";
        openPage(options.replace("{token", "{id: '" + newId() + "', token"));
        assertThat(run("session.event('first'); return (await session.end()).slice(0, 4)"))
            .isEqualTo("\"http\"");
        assertThat(run("return [asked, problems]")).isEqualTo("[1,[]]");
      }
      openPage("{token: 'wrong', getToken: () => 'wrong, too'}");
      assertThat(run("session.event('first'); return session.end()"))
          .startsWith("SessionTreeProblem: ");
      assertThat(problems()).isEqualTo("[\"unauthorized\"]");
      openPage("{token: '" + TOKEN + "'}");
      events = 0;
      assertThat(run("return session.end()")).contains(id);
      assertThat(RawHttp.get(other.port(), "/sessions/" + id + "?access_token=read").body())
          .as("what waited for a right token")
          .contains("\"first\"");
    }
  }

  /**
   * The page's own stream, which is open, outlives the token; a dead page's leftovers need another.
   */
  @Test
  void tokenThatHasExpired_isReplacedForLeftovers() throws Exception {
    try (JarServer other = expiring("for leftovers")) {
      browser.get(page.origin());
      String writer =
          run(
              """
              begin({url: a, id: b, token: 'wrong'});
              session.event('event0');
              while (!problems[0]) await new Promise(end => setTimeout(end, 10));
              return (await navigator.locks.query()).held.map(lock => lock.name).find(name => name.includes(b));
              """,
              network.url(),
              id);
      browser.get(page.origin());
      run(
          """
          const dead = JSON.parse(a[2]).split(' ').pop();
          const send = window.fetch;
          window.fetch = (url, options) => {
            if (options.headers.Authorization === 'Bearer ' + b) options.headers.Authorization = 'Bearer expired';
            return send(url, options);
          };
          const Blocked = class extends WebSocket {
            constructor(url, protocols) {
              if (url.includes(dead)) throw new Error('blocked');
              super(url, protocols);
            }
          };
          begin({url: a[0], id: a[1], token: b, getToken: () => 'another', WebSocket: Blocked});
          """,
          List.of(network.url(), id, writer),
          TOKEN);
      events = 1;
      makeEvents(1);
      endSession();
      assertThat(RawHttp.get(other.port(), "/sessions/" + id + "?access_token=read").body())
          .contains("\"event0\"", "\"event1\"");
      assertThat(problems()).isEqualTo("[]");
    }
  }

  private JarServer expiring(String name) throws Exception {
    JarServer other =
        JarServer.start(
            folder.resolve(name),
            "--allowed-origin=" + page.origin(),
            "--write-token=" + TOKEN,
            "--write-token=another",
            "--read-token=read");
    network.leadTo(other);
    browser.switchTo().newWindow(WindowType.TAB);
    return other;
  }

  @Test
  void tokenThatHasExpired_whileTheNetworkWasAway_isReplacedAgain() throws Exception {
    try (JarServer other = expiring("during an outage")) {
      browser.get(page.origin());
      run(
          """
          const send = window.fetch;
          let away = false;
          window.fetch = (...request) => {
            if (!away) return send(...request);
            away = false;
            throw new TypeError('the network is away');
          };
          const tokens = ['expired, too', 'another'];
          const getToken = () => { away = tokens.length === 2; return tokens.shift(); };
          begin({url: a, id: b, token: 'expired', getToken, WebSocket: null});
          """,
          network.url(),
          id);
      makeEvents(1);
      endSession();
      assertThat(RawHttp.get(other.port(), "/sessions/" + id + "?access_token=read").body())
          .contains("\"event0\"");
      assertThat(problems()).isEqualTo("[]");
    }
  }

  @Test
  void eventThatIsRefused_isTakenOutAlone() throws Exception {
    openTab();
    makeEvents(100);
    browser.executeScript(
        "session.event('deep', {a: JSON.parse('['.repeat(150) + ']'.repeat(150))});"
            + "session.event('large', {a: 'x'.repeat(2 ** 21)})");
    makeEvents(100);
    endSession();
    assertStored("the rest");
    assertThat(problems()).isEqualTo("[\"invalid_json deep\",\"message_too_big large\"]");
  }

  @Test
  void sessionThatAnotherHasEnded_isReportedWithWhatIsNotStored() throws Exception {
    openTab();
    makeEvents(1);
    awaitEntries(2);
    String late = browser.getWindowHandle();
    openTab();
    endSession();
    closeTab(late);
    browser.executeScript("session.event('late', {0: 'a member that JSON puts first'})");
    Await.until("the problem is shown", () -> problems().equals("[\"session_complete late\"]"));
    browser.executeScript("session.event('later')");
    Await.until(
        "the later event is reported",
        () -> problems().equals("[\"session_complete late\",\"session_complete later\"]"));
  }

  @Test
  void sessionThatIsDeleted_isReported() throws Exception {
    openTab();
    makeEvents(1);
    awaitEntries(2);
    RawHttp.send(server.port(), "DELETE /sessions/" + id, "", "");
    browser.executeScript("session.event('late')");
    Await.until("the problem is shown", () -> problems().equals("[\"session_deleted late\"]"));
  }

  @Test
  void outboxThatIsFull_dropsTheOldest_andCountsThem() throws Exception {
    network.cut();
    browser.switchTo().newWindow(WindowType.TAB);
    openPage("{maxEvents: 1000}");
    run("for (let i = 0; i < 5000; i++) session.event('event' + i); return 0");
    int dropped = Integer.parseInt(run("return dropped"));
    assertThat(dropped).isBetween(4001, 4999);
    network.mend();
    endSession();
    List<String> names = new ArrayList<>();
    JSON.readTree(RawHttp.get(server.port(), "/sessions/" + id).body())
        .path("children")
        .forEach(child -> names.add(child.path("name").asText()));
    assertThat(names).hasSize(5000 - dropped).endsWith("event4999");
  }

  @Test
  void eventLargerThanTheOutbox_isDroppedAlone() throws Exception {
    browser.switchTo().newWindow(WindowType.TAB);
    openPage("{maxBytes: 10_000}");
    makeEvents(1);
    awaitEntries(2);
    browser.executeScript("session.event('large', {a: 'x'.repeat(20_000)})");
    makeEvents(10);
    endSession();
    assertStored("the others");
    assertThat(run("return dropped")).isEqualTo("1");
  }

  /** Measures how long the page takes for each frame while it makes events. */
  @Test
  void manyEvents_freezeNoFrame() throws Exception {
    openTab();
    String longest =
        run(
            """
            let longest = 0, before = performance.now();
            for (let frame = 0; frame < 400; frame++) {
              for (let i = 0; i < 500; i++) session.event(`event${500 * frame + i}`);
              const now = await new Promise(requestAnimationFrame);
              longest = Math.max(longest, now - before);
              before = now;
            }
            return longest;
            """);
    events = 200_000;
    assertThat(Double.parseDouble(longest)).as("the longest frame").isLessThan(FROZEN_MILLIS);
    endSession();
    assertStored("many");
  }

  /** The README's lines load the module from the server. */
  @Test
  void linesOfTheReadme_storeASession() throws Exception {
    String readme = Files.readString(Path.of("README.md"));
    int from = readme.indexOf("```js\n") + "```js\n".length();
    String lines =
        readme
            .substring(from, readme.indexOf("```", from))
            .replace("http://127.0.0.1:8080", network.url())
            .replace("demo-2", id);
    browser.switchTo().newWindow(WindowType.TAB);
    browser.get(page.origin());
    assertThat(
            run(
                """
                const script = document.createElement('script');
                script.type = 'module';
                script.textContent = a + ';window.loaded(url)';
                return new Promise((resolve, reject) => {
                  window.loaded = resolve;
                  script.onerror = reject;
                  document.head.append(script);
                });
                """,
                lines))
        .isEqualTo("\"" + network.url() + "/sessions/" + id + "\"");
    assertThat(RawHttp.get(server.port(), "/sessions/" + id).body())
        .contains("\"name\":\"page_opened\",\"path\":\"/\"");
  }

  /** Runs under the Content-Security-Policy of the server's own page. */
  @Test
  void demoOfThePage_beginsASession() throws Exception {
    browser.switchTo().newWindow(WindowType.TAB);
    browser.get(server.uri("/").toString());
    String demo = run("return (await import('/page/demo.js')).sendDemo()").replace("\"", "");
    assertThat(RawHttp.get(server.port(), "/sessions/" + demo).status()).isEqualTo(409);
    assertThat(run("return performance.getEntriesByType('resource').map(e => e.name)"))
        .as("what is posted where WebSockets are blocked")
        .doesNotContain("/events?");
  }

  @Test
  void worker_sendsEventsOfItsOwn() throws Exception {
    openTab();
    makeEvents(1);
    awaitEntries(2);
    assertThat(
            run(
                """
                const source = `import {SessionTree} from '${location.origin}/sessiontree.js';
                  onmessage = ({data}) => {
                    const session = new SessionTree(data).start();
                    session.event('event1');
                    session.end().then(postMessage, error => postMessage(String(error)));
                  }`;
                const worker = new Worker(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})), {type: 'module'});
                worker.postMessage({url: a, id: b});
                return (await new Promise(resolve => worker.onmessage = resolve)).data;
                """,
                network.url(),
                id))
        .contains(id);
    events = 2;
    assertStored("a worker's");
  }
}
