package sessiontree.web;

import java.util.Set;
import org.eclipse.jetty.server.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;

/**
 * Counts and logs completed requests by their route, never by the path and the query that a client
 * sent. Safe for several threads.
 */
final class RequestLog {
  private static final Logger LOG = LoggerFactory.getLogger(RequestLog.class);
  private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "DELETE", "OPTIONS");
  private static final Set<String> POLLS = Set.of("session_not_found", "session_in_progress");
  private static final Set<String> TOKENS = Set.of("unauthorized", "forbidden");
  private static final String OTHER = "other";

  /** Maximum number of refused tokens logged at info level in a second. */
  private static final int LINES_A_SECOND = 5;

  private static final long SECOND_NANOS = 1_000_000_000L;

  private final Metrics metrics;

  // Guarded by this.
  private long secondNanos = System.nanoTime();
  private int lines;

  RequestLog(Metrics metrics) {
    this.metrics = metrics;
  }

  void responded(Request request, int status, long nanos) {
    Route known = Route.of(request);
    String route = known == null ? OTHER : known.template;
    String method = METHODS.contains(request.getMethod()) ? request.getMethod() : OTHER;
    metrics.requestSeconds.labelValues(route, method, status / 100 + "xx").observe(nanos / 1e9);
    if (request.getAttribute(Problems.CODE) instanceof String code) {
      String kind = status >= 500 ? "server" : POLLS.contains(code) ? "poll" : "client";
      metrics.requestsRefused.labelValues(kind, code).inc();
      if (TOKENS.contains(code) && mayLog(System.nanoTime())) {
        LOG.info(
            "request refused code={} method={} route={} from={}",
            code,
            method,
            route,
            Request.getRemoteAddr(request));
      } else {
        LOG.debug("request refused code={} method={} route={}", code, method, route);
      }
    }
  }

  private synchronized boolean mayLog(long nowNanos) {
    if (nowNanos - secondNanos > SECOND_NANOS) {
      secondNanos = nowNanos;
      lines = 0;
    }
    return lines++ < LINES_A_SECOND;
  }
}
