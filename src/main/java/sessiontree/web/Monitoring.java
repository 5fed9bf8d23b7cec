package sessiontree.web;

import io.javalin.http.Context;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.eclipse.jetty.http.QuotedQualityCSV;
import sessiontree.metrics.Metrics;
import sessiontree.store.SessionStore;

/** Handlers of {@code GET /health} and {@code GET /metrics}. */
final class Monitoring {
  private final SessionStore store;
  private final Metrics metrics;

  Monitoring(SessionStore store, Metrics metrics) {
    this.store = store;
    this.metrics = metrics;
    metrics.gauge(
        "healthy", "1 if /health reports UP, otherwise 0.", () -> store.healthy() ? 1 : 0);
  }

  void getHealth(Context ctx) {
    boolean up = store.healthy();
    String status = "{\"status\":\"" + (up ? "UP" : "DOWN") + "\"}";
    ctx.status(up ? 200 : 503);
    Responses.setShort(ctx, Responses.JSON, status.getBytes(StandardCharsets.US_ASCII));
  }

  void getMetrics(Context ctx) throws IOException {
    boolean openMetrics = prefersOpenMetrics(ctx.header("Accept"));
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    metrics.write(text, openMetrics);
    Responses.set(ctx, metrics.contentType(openMetrics), text.toByteArray());
  }

  /**
   * Returns whether {@code Accept} prefers OpenMetrics to plain text (RFC 9110, section 12.5.1).
   * Other types are ignored: metrics in some format are better than a 406.
   */
  private static boolean prefersOpenMetrics(String accept) {
    QuotedQualityCSV types = new QuotedQualityCSV();
    try {
      types.addValue(accept);
    } catch (IllegalArgumentException e) { // malformed
      return false;
    }
    return types.getValues().stream()
        .map(type -> type.toLowerCase(Locale.ROOT).split("[; ]", 2)[0])
        .filter(type -> type.matches("application/openmetrics-text|text/plain|text/\\*|\\*/\\*"))
        .findFirst()
        .filter("application/openmetrics-text"::equals)
        .isPresent();
  }
}
