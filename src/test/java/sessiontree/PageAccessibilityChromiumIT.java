package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.By;
import org.openqa.selenium.Dimension;
import org.openqa.selenium.Keys;

/** The page for users who have only a keyboard, and for those who cannot see it. */
class PageAccessibilityChromiumIT extends PageInChromium {
  @Test
  void keysAlone_leadThroughThePage() throws Exception {
    String id = stored(event("1569972083", "a"), event("1569972084", "b"));
    show("");
    Await.until("the list", () -> texts("#session-rows .id").contains(id));
    while (!browser.switchTo().activeElement().getText().equals(id)) {
      press(Keys.TAB);
    }
    press(Keys.ENTER);
    awaitText("session-state", "complete");
    assertThat(focused()).as("the heading of what came").isEqualTo("session-id");
    while (!"timeline".equals(focused())) {
      press(Keys.TAB);
    }
    String fitted = text("in-view");
    press("+");
    Await.until("zoomed", () -> !text("in-view").equals(fitted));
    press("0");
    awaitText("in-view", fitted);
    while (!"events".equals(focused())) {
      press(Keys.TAB);
    }
    press(Keys.ARROW_DOWN);
    awaitText("details-name", "a");
    press(Keys.ARROW_DOWN);
    awaitText("details-name", "b");
    String active = element("events").getDomAttribute("aria-activedescendant");
    assertThat(element(active).getText()).contains("b");
    press(Keys.ESCAPE);
    Await.until("closed", () -> !element("details").isDisplayed());
  }

  @ParameterizedTest
  @ValueSource(strings = {"light", "dark"})
  void rulesOfAccessibility_areKept(String scheme) throws Exception {
    String id = stored(event("1569972083", "a"), event("1569972084", "b"));
    List<?> features = List.of(Map.of("name", "prefers-color-scheme", "value", scheme));
    browser.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features", features));
    for (int width : List.of(1280, 500)) {
      browser.manage().window().setSize(new Dimension(width, 800));
      show("");
      Await.until("the list", () -> texts("#session-rows .id").contains(id));
      assertAccessible("the list");
      show(sessionOf(id));
      awaitText("session-state", "complete");
      browser.findElements(By.cssSelector(".rows .event")).get(1).click();
      awaitText("details-name", "b");
      assertAccessible("a session");
      element("close-details").click();
      element("delete").click();
      assertAccessible("the dialog");
      press(Keys.ESCAPE);
    }
  }

  private static void assertAccessible(String what) throws Exception {
    String axe = "/META-INF/resources/webjars/axe-core/4.6.3/axe.min.js";
    try (InputStream in = PageInChromium.class.getResourceAsStream(axe)) {
      browser.executeScript(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
    Object found =
        browser.executeAsyncScript(
            """
            const done = arguments[arguments.length - 1];
            axe.run().then(({violations}) => done(violations.map(
                ({id, help, nodes}) => `${id}: ${help}: ${nodes.map(node => node.html)}`)));
            """);
    assertThat((List<?>) found).as(what).isEmpty();
  }
}
