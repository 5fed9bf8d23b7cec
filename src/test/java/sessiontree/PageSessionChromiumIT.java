package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.newId;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.interactions.Actions;

/** A session in the page: its timeline and its events. */
class PageSessionChromiumIT extends PageInChromium {
  private static final int MANY = 100_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final List<String> NAUGHTY =
      List.of(
          "<img src=x onerror=alert(1)>",
          "\"><script>alert(2)</script>",
          "</title><svg onload=alert(3)>",
          "javascript:alert(4)",
          "&lt;b&gt;&amp;",
          "${alert(5)}{{alert(6)}}",
          "\u202Eback\u2066\u0000\u0007",
          "田中さん 👩‍👩‍👧 Ω≈ç",
          "__proto__",
          " ");

  @Test
  void deepLink_showsTheSession_andBackTheList() throws Exception {
    String id = stored(event("1569972083.5", "cart_loaded"));
    show(sessionOf(id));
    awaitText("session-state", "complete");
    assertThat(browser.getTitle()).startsWith(id);
    assertThat(texts(".rows .event")).singleElement().asString().contains("1.500 s", "cart_loaded");
    assertThat(text("fact-duration")).isEqualTo("8 s");
    show("");
    Await.until("the list", () -> element("list").isDisplayed());
    browser.navigate().back();
    awaitText("session-id", id);
    browser.navigate().forward();
    Await.until("the list again", () -> element("list").isDisplayed());
    assertThat(browser.getTitle()).startsWith("Sessions");
    element("search-id").sendKeys(id, Keys.ENTER);
    awaitText("session-id", id);

    show(sessionOf("not-there"));
    Await.until("the problem is shown", () -> element("session-error").isDisplayed());
    String problem = RawHttp.get(server.port(), "/sessions/not-there").body();
    assertThat(text("session-error"))
        .as("in the server's words")
        .contains(
            JSON.readTree(problem).get("title").asText(),
            JSON.readTree(problem).get("detail").asText());
  }

  @Test
  void openSession_grows_andCompletes() throws Exception {
    String id = newId();
    post(id, Entries.start(id), event("1569972084", "first"));
    show(sessionOf(id));
    awaitText("session-state", "live");
    for (int i = 1; i <= 5; i++) {
      post(id, event("1569972083." + i, "later"));
      String events = String.valueOf(1 + i);
      awaitText("fact-events", events);
    }
    assertThat(texts("#lanes .name")).containsExactly("first", "later");
    assertThat(texts(".rows .event")).as("by time").last().asString().contains("first");
    post(id, Entries.end(id));
    awaitText("session-state", "complete");
    assertThat(text("fact-duration")).isEqualTo("8 s");
  }

  @Test
  void openSession_isFollowed_overARestartOfTheServer() throws Exception {
    Path store = folder.resolve("restarted");
    String id = newId();
    JarServer first = JarServer.start(store);
    server = first;
    post(id, Entries.start(id), event("1569972083", "before"));
    show(sessionOf(id));
    awaitText("fact-events", "1");
    first.kill();
    awaitText("session-state", "connecting again…");
    try (JarServer second =
        JarServer.of(store)
            .onlyFlags("--port=" + first.port(), "--store=" + store.toAbsolutePath())
            .start()) {
      server = second;
      post(id, event("1569972084", "after"));
      awaitText("fact-events", "2");
      assertThat(texts(".rows .event")).hasSize(2);
      awaitText("session-state", "live");
    }
  }

  @Test
  void whatClientsSent_isTextOnly() throws Exception {
    String[] children = new String[NAUGHTY.size()];
    for (int i = 0; i < children.length; i++) {
      String quoted = JSON.writeValueAsString(NAUGHTY.get(i));
      children[i] =
          "{\"type\":\"EVENT\",\"timestamp\":156997208%d,\"name\":%s,%s:%s}"
              .formatted(i, quoted, quoted, quoted);
    }
    show(sessionOf(stored(children)));
    Await.until("all are there", () -> texts(".rows .event").size() == children.length);
    assertThat(texts("#lanes .name, #legend .name")).containsExactlyElementsOf(NAUGHTY);
    for (String part : List.of("img[src=x]", "main script", "main svg", "main b")) {
      assertThat(browser.findElements(By.cssSelector(part))).as(part).isEmpty();
    }
    for (WebElement row : browser.findElements(By.cssSelector(".rows .event"))) {
      row.click();
      assertThat(NAUGHTY.stream().map(String::strip)).contains(text("details-name").strip());
    }
  }

  /** Timestamps outside the bounds, equal, far away and 1 ns apart; numbers no double can hold. */
  @Test
  void oddTimestampsAndNumbers_areShownAsTheyWereSent() throws Exception {
    String numbers =
        "{\"type\":\"EVENT\",\"timestamp\":1569972083.123456789,\"name\":\"n\","
            + "\"huge\":1e400,\"long\":123456789012345678901234567890.10,\"zero\":-0.0}";
    String id =
        stored(
            event("0", "epoch"),
            event("1569972081.5", "early"),
            numbers,
            event("1569972083.123456790", "next"),
            event("1.569972084e9", "exponent"),
            event("1569972099", "late"),
            event("9223372035", "far"));
    show(sessionOf(id));
    Await.until("all are there", () -> texts(".rows .event").size() == 7);
    List<String> rows = texts(".rows .event");
    for (String part :
        List.of(
            "−49.7 years", "−0.500 s", "1.123456789 s", "1.123456790 s", "2.000 s", "17.000 s")) {
      assertThat(rows).as(part).filteredOn(row -> row.contains(part)).hasSize(1);
    }
    assertThat(text("in-view")).as("strays do not make the rest a dot").startsWith("3 events");
    element("fit").click();
    Await.until("all in view", () -> text("in-view").startsWith("7 events"));
    browser.findElements(By.cssSelector(".rows .event")).get(2).click();
    assertThat(text("details-json"))
        .contains("1569972083.123456789", "1e400", "123456789012345678901234567890.10", "-0.0");

    show(sessionOf(stored(event("1569972082", "same"), event("1569972082", "same"))));
    Await.until("both are there", () -> text("in-view").startsWith("2 events"));
  }

  @Test
  void rawJson_isTheTreeAsTheServerHasIt() throws Exception {
    String id =
        stored("{\"type\":\"EVENT\",\"timestamp\":1569972083,\"name\":\"<b>\",\"n\":1e400}");
    show(sessionOf(id));
    awaitText("session-state", "complete");
    String tab = browser.getWindowHandle();
    Set<String> before = browser.getWindowHandles();
    element("raw").click();
    Await.until("a tab of its own", () -> browser.getWindowHandles().size() > before.size());
    browser.getWindowHandles().stream()
        .filter(each -> !before.contains(each))
        .forEach(browser.switchTo()::window);
    String tree = RawHttp.get(server.port(), "/sessions/" + id).body();
    Await.until(
        "the tree", () -> tree.equals(browser.executeScript("return document.body.innerText")));
    browser.close();
    browser.switchTo().window(tab);
  }

  @Test
  void sessionOfManyEvents_opens_zooms_filters_andScrolls() throws Exception {
    String id = newId();
    post(id, Entries.start(id));
    int perMessage = 10_000;
    for (int from = 0; from < MANY; from += perMessage) {
      post(
          id,
          IntStream.range(from, from + perMessage)
              .mapToObj(i -> event(timestamp(i), i % 1000 == 7 ? "rare" : "e"))
              .toArray(String[]::new));
    }
    post(id, Entries.end(id));
    show("");
    browser.executeScript(
        """
        window.mostRows = 0;
        new MutationObserver(() => {
          window.mostRows = Math.max(window.mostRows, document.querySelectorAll('.rows .event').length);
        }).observe(document.body, {subtree: true, childList: true});
        """);
    show(sessionOf(id));
    awaitText("session-state", "complete");
    awaitText("fact-events", "100,000");
    assertThat((Long) browser.executeScript("return window.mostRows"))
        .as("the most rows that were ever drawn")
        .isBetween(1L, 60L);
    Await.until("all in view", () -> text("in-view").startsWith("100,000 events"));
    Await.until("marks are drawn", () -> marks() > 1000);

    element("timeline").sendKeys(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP);
    Await.until("zoomed", () -> !text("in-view").startsWith("100,000"));
    assertThat(element("timeline").getDomAttribute("aria-label")).contains("100,000 events");
    element("timeline").sendKeys("0");
    element("filter").sendKeys("RARE");
    awaitText("filter-status", "100 of 100,000 events");
    Await.until("few in view", () -> text("in-view").startsWith("100 events"));
    element("filter").sendKeys(Keys.chord(Keys.CONTROL, "a"), Keys.BACK_SPACE);
    awaitText("filter-status", "");
    element("events").sendKeys(Keys.END);
    assertThat(texts(".rows .event[aria-selected=true]"))
        .singleElement()
        .asString()
        .contains(".999950");

    List<WebElement> names = browser.findElements(By.cssSelector("#lanes .chip"));
    assertThat(texts("#lanes .chip")).containsExactly("e99,900", "rare100");
    names.get(0).click();
    awaitText("filter-status", "100 of 100,000 events");
    assertThat(names.get(0).getDomAttribute("aria-pressed")).isEqualTo("false");
  }

  /** Returns the timestamp of event {@code i}; there are 20,000 events a second. */
  private static String timestamp(int i) {
    return "%d.%05d".formatted(1569972083 + i / 20_000, i % 20_000 * 5);
  }

  /** Returns how many pixels of the lanes have the colour of an event name. */
  private static long marks() {
    return (Long)
        browser.executeScript(
            """
            const canvas = document.getElementById('timeline'), {width, height} = canvas;
            const {data} = canvas.getContext('2d').getImageData(0, 50, width, height - 90);
            let coloured = 0;
            for (let i = 0; i < data.length; i += 4) {
              const [r, g, b] = data.slice(i, i + 3);
              if (Math.max(r, g, b) - Math.min(r, g, b) > 60) coloured++;
            }
            return coloured;
            """);
  }

  @Test
  void timelineAndTable_selectTheSame() throws Exception {
    show(
        sessionOf(
            stored(event("1569972084", "a"), event("1569972086", "b"), event("1569972088", "c"))));
    Await.until("all are there", () -> texts(".rows .event").size() == 3);
    WebElement canvas = element("timeline");
    int width = canvas.getSize().getWidth();
    int height = canvas.getSize().getHeight();
    int y = 46 + 28 + 14 - height / 2; // the middle of the second lane
    new Actions(browser).moveToElement(canvas, 0, y).perform(); // halfway: 1569972086
    Await.until("the problem is shown", () -> element("hover").isDisplayed());
    assertThat(text("hover")).startsWith("b\n");
    new Actions(browser).moveToElement(canvas, 0, y).click().perform();
    awaitText("details-name", "b");
    assertThat(texts(".rows .event[aria-selected=true]")).singleElement().asString().contains("b");
    new Actions(browser).moveToElement(canvas, width / 4, y).click().perform();
    Await.until("nothing is selected", () -> !element("details").isDisplayed());
    new Actions(browser).dragAndDropBy(canvas, -width / 3, 0).perform();
    Await.until("it was drawn aside", () -> element("before").isDisplayed());
    element("before").click();
    awaitText("details-name", "a");
  }
}
