package sessiontree;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;

/** Starts headless browsers, each with its own profile; downloads no browser or driver. */
final class Chromium {
  private static final Duration SCRIPTS = Duration.ofSeconds(60);

  private Chromium() {}

  /** Starts a browser, which the caller quits. Skips the test if it or its driver is missing. */
  static ChromeDriver start(Path folder, String... arguments) throws Exception {
    String browser = Programs.find("chromium", "apt-get install chromium");
    String driver = Programs.find("chromedriver", "apt-get install chromium-driver");
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(
        List.of(
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--user-data-dir=" + Files.createTempDirectory(folder, "browser")));
    ChromeOptions options = new ChromeOptions();
    options.setBinary(browser);
    options.addArguments(all);
    ChromeDriverService service =
        new ChromeDriverService.Builder()
            .usingDriverExecutable(Path.of(driver).toFile())
            .usingAnyFreePort()
            .build();
    ChromeDriver started = new ChromeDriver(service, options);
    started.manage().timeouts().scriptTimeout(SCRIPTS);
    return started;
  }
}
