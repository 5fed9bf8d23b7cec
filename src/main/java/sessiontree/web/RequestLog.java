package sessiontree.web;

import java.util.Set;
import org.eclipse.jetty.server.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.metrics.Metrics;

/**
 * Counts and logs requests that were responded to, by their route: never by the path and the query
 * that a client sent. Safe for several threads.
 */
final class RequestLog {
  private static final Logger LOG = LoggerFactory.getLogger(RequestLog.class);
  private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "DELETE", "OPTIONS");
  private static final Set<String> PATHS =
      Set.of("/sessions", "/health", "/metrics", "/openapi.json", "/asyncapi.json");
  private static final Set<String> POLLS = Set.of("session_not_found", "session_in_progress");
  private static final Set<String> TOKENS = Set.of("unauthorized", "forbidden");
  private static final String SESSION = "/sessions/";
  private static final String OTHER = "other";

  /** Refused tokens that are logged in a second. */
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
    String route = route(request.getHttpURI().getPath());
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

  /** One of a few routes, whatever a client sends. */
  static String route(String path) {
    if (path == null) {
      return OTHER;
    }
    if (PATHS.contains(path)) {
      return path;
    }
    if (!path.startsWith(SESSION) || path.length() == SESSION.length()) {
      return OTHER;
    }
    int end = path.indexOf('/', SESSION.length());
    return switch (end < 0 ? "" : path.substring(end)) {
      case "" -> "/sessions/{id}";
      case "/events" -> "/sessions/{id}/events";
      case "/stream" -> "/sessions/{id}/stream";
      default -> OTHER;
    };
  }

  private synchronized boolean mayLog(long nowNanos) {
    if (nowNanos - secondNanos > SECOND_NANOS) {
      secondNanos = nowNanos;
      lines = 0;
    }
    return lines++ < LINES_A_SECOND;
  }
}
