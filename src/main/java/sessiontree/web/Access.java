package sessiontree.web;

import java.util.List;
import java.util.Locale;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Who may ask: looks at the host that a request was sent to and the {@code Origin} of what browsers
 * send, answers their CORS preflights (Fetch Standard, section 3.2), and asks for tokens (RFC
 * 6750). It stands in front of all routes, upgrades included, and what it does not know needs a
 * token. Safe for several threads.
 */
final class Access extends Handler.Wrapper {
  private static final String ANY = "*";
  private static final String PREFLIGHT_SECONDS = "7200";

  private final Hosts hosts;
  private final Tokens tokens;
  private final List<String> origins;

  /**
   * A handler that knows hosts, tokens and origins.
   *
   * @param hosts that are looked at when there is no token
   * @param origins such as {@code https://example.org}, or {@code *}
   */
  Access(Hosts hosts, Tokens tokens, List<String> origins) {
    this.hosts = hosts;
    this.tokens = tokens;
    this.origins = origins.stream().map(origin -> origin.toLowerCase(Locale.ROOT)).toList();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    HttpFields.Mutable headers = response.getHeaders();
    headers.put("X-Content-Type-Options", "nosniff");
    try {
      if (!tokens.areSet()) {
        hosts.check(request);
      }
      checkOrigin(request, headers);
      if (isPreflight(request)) {
        answerPreflight(response, callback);
        return true;
      }
      tokens.check(request);
    } catch (ProblemException e) {
      if (e.problem() == Problem.UNAUTHORIZED) {
        headers.put(HttpHeader.WWW_AUTHENTICATE, "Bearer realm=\"sessiontree\"");
      }
      Problems.answer(response, callback, e);
      return true;
    }
    return super.handle(request, response, callback);
  }

  private void checkOrigin(Request request, HttpFields.Mutable headers) throws ProblemException {
    List<String> sent = request.getHeaders().getValuesList(HttpHeader.ORIGIN);
    if (!origins.isEmpty() && !origins.contains(ANY)) {
      headers.add(HttpHeader.VARY, "Origin");
    }
    if (sent.isEmpty()) {
      return;
    }
    String origin = sent.get(0).toLowerCase(Locale.ROOT);
    if (sent.size() == 1 && (origins.contains(ANY) || origins.contains(origin))) {
      headers.put(
          HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, origins.contains(ANY) ? ANY : sent.get(0));
      headers.put(
          HttpHeader.ACCESS_CONTROL_EXPOSE_HEADERS,
          "ETag, Location, Retry-After, WWW-Authenticate");
    } else if (sent.size() > 1 || !isOwn(origin, request.getHeaders().get(HttpHeader.HOST))) {
      throw new ProblemException(
          Problem.ORIGIN_NOT_ALLOWED, "pages of this origin may not; see --allowed-origin");
    }
  }

  /** Whether the request was sent to where its page came from. */
  private static boolean isOwn(String origin, String host) {
    int at = origin.indexOf("://");
    if (at < 0 || host == null) {
      return false;
    }
    String port = origin.startsWith("https:") ? ":443" : ":80";
    String to = host.toLowerCase(Locale.ROOT);
    String from = origin.substring(at + 3);
    return from.equals(to) || (from + port).equals(to) || from.equals(to + port);
  }

  private static boolean isPreflight(Request request) {
    return HttpMethod.OPTIONS.is(request.getMethod())
        && request.getHeaders().contains(HttpHeader.ORIGIN)
        && request.getHeaders().contains(HttpHeader.ACCESS_CONTROL_REQUEST_METHOD);
  }

  private static void answerPreflight(Response response, Callback callback) {
    HttpFields.Mutable headers = response.getHeaders();
    headers.put(HttpHeader.ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE");
    headers.put(
        HttpHeader.ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, If-None-Match, Prefer");
    headers.put(HttpHeader.ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    response.setStatus(204);
    response.write(true, null, callback);
  }
}
