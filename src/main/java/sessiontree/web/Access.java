package sessiontree.web;

import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Decides which requests are allowed: looks at the host that a request was sent to, at the {@code
 * Origin} of what browsers send, and at tokens, in this order. It stands in front of all routes,
 * upgrades included. Safe for several threads.
 */
final class Access extends Handler.Wrapper {
  private final Hosts hosts;
  private final Cors cors;
  private final Tokens tokens;

  Access(Settings.Access settings) {
    this.hosts = new Hosts(settings.allowedHosts());
    this.cors = new Cors(settings.allowedOrigins());
    this.tokens =
        new Tokens(
            settings.readTokens(), settings.writeTokens(), settings.adminTokens(), settings.jwts());
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    HttpFields.Mutable headers = response.getHeaders();
    try {
      if (!tokens.areSet()) {
        hosts.check(request);
      }
      cors.check(request, headers);
      if (Cors.isPreflight(request)) {
        Cors.respondToPreflight(request, response, callback);
        return true;
      }
      tokens.check(request);
    } catch (ProblemException e) {
      if (e.problem() == Problem.UNAUTHORIZED) {
        headers.put(HttpHeader.WWW_AUTHENTICATE, "Bearer realm=\"sessiontree\"");
      }
      Problems.respond(response, callback, e);
      return true;
    }
    return super.handle(request, response, callback);
  }
}
