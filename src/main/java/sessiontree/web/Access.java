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
 * Handler in front of all routes, WebSocket upgrades included, that decides which requests are
 * allowed. It checks the {@code Host} (only if the server has no tokens), the {@code Origin} that
 * browsers send, and the tokens, in this order. Safe for several threads.
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
      if (!tokens.areRequired()) {
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
