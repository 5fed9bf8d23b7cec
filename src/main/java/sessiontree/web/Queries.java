package sessiontree.web;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.Utf8;

/**
 * Handler in front of all routes that refuses queries of which Jetty or Javalin would ignore a
 * part: those that cannot be decoded, and those that have a parameter twice. It ignores {@code
 * access_token}, as one valid token is enough, whatever else is sent. Safe for several threads.
 */
final class Queries extends Handler.Wrapper {
  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    try {
      String query = request.getHttpURI().getQuery();
      if (query != null) {
        check(query);
      }
    } catch (ProblemException e) {
      Problems.respond(response, callback, e);
      return true;
    }
    return super.handle(request, response, callback);
  }

  private static void check(String query) throws ProblemException {
    Set<String> names = new HashSet<>();
    for (String parameter : query.split("&", -1)) {
      if (parameter.startsWith(Tokens.ACCESS_TOKEN + "=")) {
        continue;
      }
      if (RequestCustomizer.BAD_ESCAPE.matcher(parameter).find() || !isUtf8(parameter)) {
        throw new ProblemException(Problem.INVALID_PARAMETER, "the query cannot be decoded");
      }
      String name = URLDecoder.decode(parameter.split("=", 2)[0], StandardCharsets.UTF_8);
      if (!names.add(name) && !name.isEmpty()) {
        throw new ProblemException(Problem.INVALID_PARAMETER, name + " is given twice");
      }
    }
  }

  private static boolean isUtf8(String query) {
    byte[] decoded =
        URLDecoder.decode(query, StandardCharsets.ISO_8859_1).getBytes(StandardCharsets.ISO_8859_1);
    return Utf8.isValid(decoded, 0, decoded.length);
  }
}
