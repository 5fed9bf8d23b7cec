package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;

import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.WindowType;

/** The page's list of sessions, its use of tokens, and its deletion of sessions. */
class PageListChromiumIT extends PageInChromium {
  @Test
  void list_hasTheNewestFirst_andShowsByItselfWhatComes() throws Exception {
    String older = stored();
    String newer = newId();
    post(newer, Entries.start(newer));
    show("");
    Await.until("both are there", () -> texts("#session-rows .id").contains(older));
    assertThat(texts("#session-rows .id")).containsSubsequence(newer, older);
    assertThat(texts("#session-rows .state").get(0)).isEqualTo("open");
    WebElement link = browser.findElement(By.linkText(older));
    browser.executeScript("arguments[0].focus()", link);

    String newest = stored(event("1569972083", "a"));
    post(newer, Entries.end(newer));
    Await.until("it comes by itself", () -> texts("#session-rows .id").get(0).equals(newest));
    assertThat(texts("#session-rows .id")).containsSubsequence(newest, newer, older);
    Await.until("it is complete", () -> texts("#session-rows .state").get(1).equals("complete"));
    assertThat(browser.switchTo().activeElement()).as("what had the focus").isEqualTo(link);
  }

  @Test
  void list_goesOnWhereItIsScrolled_andIsBoundedByTime() throws Exception {
    try (JarServer other = JarServer.start(folder.resolve("many"))) {
      server = other;
      for (int i = 0; i < 120; i++) {
        String id = "many-" + i;
        post(id, Entries.start(id), Entries.end(id));
      }
      show("");
      Await.until("the first page", () -> texts("#session-rows .id").size() >= 50);
      assertThat(texts("#session-rows .id").get(0)).isEqualTo("many-119");
      Await.until(
          "all are there",
          () -> {
            browser.executeScript("scrollTo(0, document.body.scrollHeight)");
            return texts("#session-rows .id").size() == 120;
          });
      assertThat(texts("#session-rows .id")).doesNotHaveDuplicates().endsWith("many-0");
      element("search-id").sendKeys("many-11");
      Await.until("by prefix", () -> texts("#session-rows .id").size() == 11);

      element("search-id").sendKeys(Keys.chord(Keys.CONTROL, "a"), Keys.BACK_SPACE);
      show("?until=2001-01-01T00:00:00Z");
      awaitText("none", "No session matches.");
      show("?since=2001-01-01T00:00:00Z&state=complete");
      Await.until("all since then", () -> texts("#session-rows .id").size() >= 50);
    }
  }

  @Test
  void serverWithoutSessions_saysHowToSendOne_andShowsTheDemoLive() throws Exception {
    try (JarServer empty = JarServer.start(folder.resolve("empty"))) {
      server = empty;
      show("");
      awaitText("welcome-title", "No sessions yet");
      assertThat(text("curl-snippet")).startsWith("curl " + empty.uri("/sessions/"));
      assertThat(text("client-snippet").lines()).hasSize(4);
      element("demo").click();
      Await.until("events come", () -> texts(".rows .event").size() > 2);
      awaitText("session-state", "live");
      assertThat(text("session-id")).startsWith("demo-");
    }
  }

  // --- Tokens and deletion.

  @Test
  void tokens_areAskedFor_keptForTheTabAlone_andTheAdminsDeletes() throws Exception {
    try (JarServer closed =
        JarServer.start(
            folder.resolve("closed"), "--read-token=r", "--write-token=w", "--admin-token=a")) {
      server = closed;
      String id = newId();
      RawHttp.send(
          closed.port(),
          "POST /sessions/" + id + "/events",
          "Authorization: Bearer w\r\n",
          message(Entries.start(id), Entries.end(id)));
      show("");
      enterToken("wrong");
      Await.until("it is asked again", () -> text("token").isEmpty());
      enterToken("r");
      Await.until("the list", () -> texts("#session-rows .id").contains(id));
      browser.navigate().refresh();
      Await.until("it is kept", () -> texts("#session-rows .id").contains(id));

      show(sessionOf(id));
      awaitText("session-state", "complete");
      element("delete").click();
      element("delete-yes").click();
      enterToken("a");
      Await.until("the list again", () -> element("list").isDisplayed());
      awaitText("notice", "Session " + id + " was deleted.");
      String admin = "Authorization: Bearer a\r\n";
      assertThat(RawHttp.send(closed.port(), "GET /sessions/" + id, admin, "").status())
          .isEqualTo(404);

      String tab = browser.getWindowHandle();
      browser.switchTo().newWindow(WindowType.TAB);
      show("");
      Await.until("another tab is asked", () -> element("token-dialog").isDisplayed());
      browser.close();
      browser.switchTo().window(tab);
    }
  }

  private static void enterToken(String token) throws Exception {
    Await.until("it is asked for", () -> element("token-dialog").isDisplayed());
    element("token").sendKeys(token, Keys.ENTER);
  }

  @Test
  void session_isDeleted_whereItIsConfirmed_andItsWatchersAreNotified() throws Exception {
    String id = newId();
    post(id, Entries.start(id));
    show(sessionOf(id));
    awaitText("session-state", "live");
    element("delete").click();
    press(Keys.ENTER); // keeps the session
    assertThat(RawHttp.get(server.port(), "/sessions/" + id).status()).isEqualTo(409);
    RawHttp.send(server.port(), "DELETE /sessions/" + id, "", "");
    Await.until(
        "the problem is shown", () -> text("session-error").startsWith("This session was deleted"));

    String other = stored();
    show(sessionOf(other));
    awaitText("session-state", "complete");
    element("delete").click();
    assertThat(text("delete-id")).isEqualTo(other);
    element("delete-yes").click();
    Await.until("the list", () -> element("list").isDisplayed());
    assertThat(RawHttp.get(server.port(), "/sessions/" + other).status()).isEqualTo(404);
  }
}
