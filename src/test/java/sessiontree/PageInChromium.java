package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.By;
import org.openqa.selenium.Dimension;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.WindowType;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.interactions.Actions;

/**
 * The page in a real browser, against the shipped jar. Each test fails if a script failed, or if
 * anything violated the page's Content-Security-Policy.
 */
@Timeout(180)
abstract class PageInChromium {
  /** Script that records failures and policy violations. Runs before the scripts of the page. */
  private static final String WATCH =
      """
      window.failures = [];
      addEventListener('securitypolicyviolation', e => failures.push(e.violatedDirective));
      addEventListener('error', e => failures.push(e.message || 'a file was not loaded'), true);
      addEventListener('unhandledrejection', e => failures.push(String(e.reason)));
      window.alert = text => failures.push('alert ' + text);
      """;

  @TempDir static Path folder;
  static ChromeDriver browser;
  private static JarServer open;
  private static String firstTab;

  /** The server that the test uses. It has no tokens unless the test starts another one. */
  JarServer server = open;

  @BeforeAll
  static void start() throws Exception {
    browser = Chromium.start(folder);
    firstTab = browser.getWindowHandle();
    open = JarServer.start(folder.resolve("open"));
  }

  @AfterAll
  static void end() throws Exception {
    if (browser != null) {
      browser.quit();
    }
    if (open != null) {
      open.close();
    }
  }

  @BeforeEach
  void openTab() {
    browser.switchTo().newWindow(WindowType.TAB);
    browser.executeCdpCommand("Page.addScriptToEvaluateOnNewDocument", Map.of("source", WATCH));
    browser.executeCdpCommand("Emulation.setTimezoneOverride", Map.of("timezoneId", "Asia/Tokyo"));
    browser.manage().window().setSize(new Dimension(1280, 800));
  }

  @AfterEach
  void closeTab() {
    List<?> failures = (List<?>) browser.executeScript("return window.failures");
    browser.close();
    browser.switchTo().window(firstTab);
    assertThat(failures).isEmpty();
  }

  // --- Steps of the tests.

  void show(String fragment) {
    browser.get(server.uri("/") + "#/" + fragment);
  }

  static String sessionOf(String id) {
    return "sessions/" + id;
  }

  static WebElement element(String id) {
    return browser.findElement(By.id(id));
  }

  static String text(String id) {
    return element(id).getText();
  }

  static List<String> texts(String css) {
    List<?> found =
        (List<?>)
            browser.executeScript(
                "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", css);
    return found.stream().map(Object::toString).toList();
  }

  static void awaitText(String id, String expected) throws Exception {
    Await.until(id + " is " + expected, () -> text(id).equals(expected));
  }

  static String focused() {
    return browser.switchTo().activeElement().getDomAttribute("id");
  }

  static void press(CharSequence... keys) {
    new Actions(browser).sendKeys(keys).perform();
  }

  void post(String id, String... entries) throws Exception {
    RawHttp response = RawHttp.post(server.port(), "/sessions/" + id + "/events", message(entries));
    assertThat(response.status()).as(response.body()).isEqualTo(200);
  }

  /** Stores a session of these children from 1569972082 to 1569972090, and returns its id. */
  String stored(String... children) throws Exception {
    String id = newId();
    List<String> entries = new ArrayList<>(List.of(Entries.start(id)));
    entries.addAll(List.of(children));
    entries.add(Entries.end(id));
    post(id, entries.toArray(String[]::new));
    return id;
  }
}
