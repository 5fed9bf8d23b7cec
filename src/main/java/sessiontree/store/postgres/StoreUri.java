package sessiontree.store.postgres;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A database's address: {@code postgresql://user:password@host:5432,host:5432/database?sslmode=…}.
 * The password, which may also be given separately, is in no text that this class produces.
 *
 * @param url for the driver, without user and password
 * @param user null for the driver's default
 * @param password null for none, or for the driver's {@code PGPASSFILE}
 */
record StoreUri(String url, String user, String password) {
  private static final Pattern URI =
      Pattern.compile("postgres(?:ql)?://(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?]+)/([^?]+)(\\?.*)?");

  /**
   * Parses the value of {@code --store}.
   *
   * @param password takes precedence over the URI's; null if not given separately
   * @throws IllegalArgumentException if the value is not such a URI; the message does not repeat it
   */
  static StoreUri parse(String given, String password) {
    Matcher uri = URI.matcher(given);
    if (!uri.matches()) {
      throw new IllegalArgumentException("must be like postgresql://user@host:5432/database");
    }
    String query = uri.group(5) == null ? "" : uri.group(5);
    if (query.matches("(?i).*[?&](user|password)=.*")) {
      throw new IllegalArgumentException(
          "user and password must be before the host, not in the query");
    }
    String own = uri.group(2);
    return new StoreUri(
        "jdbc:postgresql://" + uri.group(3) + "/" + uri.group(4) + query,
        decoded(uri.group(1)),
        password == null || password.isEmpty() ? decoded(own) : password);
  }

  private static String decoded(String part) {
    return part == null || part.isEmpty()
        ? null
        : URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  /** Returns the driver's properties. The URL takes precedence, except for user and password. */
  Properties properties() {
    Properties properties = new Properties();
    if (user != null) {
      properties.setProperty("user", user);
    }
    if (password != null) {
      properties.setProperty("password", password);
    }
    return properties;
  }

  /** Returns the URI without user, password and parameters, for logs. */
  @Override
  public String toString() {
    return url.replaceFirst("^jdbc:", "").replaceFirst("\\?.*", "");
  }
}
