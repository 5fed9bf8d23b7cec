package sessiontree.web;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.eclipse.jetty.http.pathmap.MatchedResource;
import org.eclipse.jetty.http.pathmap.PathMappings;
import org.eclipse.jetty.http.pathmap.UriTemplatePathSpec;
import org.eclipse.jetty.server.Request;

/** The paths of the API. They are matched against the undecoded path of the request line. */
enum Route {
  SESSIONS("/sessions", "GET, HEAD"),
  SESSION("/sessions/{id}", "GET, HEAD, DELETE"),
  EVENTS("/sessions/{id}/events", "POST"),
  STREAM("/sessions/{id}/stream", "GET, HEAD"),
  LIVE("/sessions/{id}/live", "GET, HEAD"),
  HEALTH("/health", "GET, HEAD"),
  METRICS("/metrics", "GET, HEAD"),
  OPENAPI("/openapi.json", "GET, HEAD"),
  ASYNCAPI("/asyncapi.json", "GET, HEAD"),
  INDEX("/", "GET, HEAD"),
  PAGE("/page/{name}", "GET, HEAD"),
  CLIENT("/sessiontree.js", "GET, HEAD"),
  CLIENT_TYPES("/sessiontree.d.ts", "GET, HEAD");

  /** The attribute of a request that holds its route. */
  private static final String ATTRIBUTE = "sessiontree.route";

  private static final PathMappings<Route> ROUTES = new PathMappings<>();

  static {
    for (Route route : values()) {
      ROUTES.put(route.spec, route);
    }
  }

  /** The path, with {@code {id}} in place of a session id. */
  final String template;

  /** The methods that the route allows, in the format of Allow (RFC 9110, section 10.2.1). */
  final String methods;

  @SuppressWarnings("ImmutableEnumChecker") // Jetty's class is immutable, but not annotated so
  final UriTemplatePathSpec spec;

  Route(String template, String methods) {
    this.template = template;
    this.methods = methods;
    this.spec = new UriTemplatePathSpec(template);
  }

  /** Finds the route of a request, once for all handlers. */
  static void match(Request request) {
    request.setAttribute(ATTRIBUTE, of(request.getHttpURI().getPath()));
  }

  /** Returns the route of a request, or null if there is none. */
  static Route of(Request request) {
    return (Route) request.getAttribute(ATTRIBUTE);
  }

  /** Returns the route of {@code path}, or null if there is none. */
  static Route of(String path) {
    MatchedResource<Route> matched = path == null ? null : ROUTES.getMatched(path);
    return matched == null ? null : matched.getResource();
  }

  /** Returns the decoded session id in the path, valid or not; null if there is none. */
  static String idOf(Request request) {
    Route route = of(request);
    return route == null ? null : route.id(request.getHttpURI().getPath());
  }

  /** Returns the decoded id in a path of this route, valid or not; null if there is none. */
  String id(String path) {
    Map<String, String> parameters = path == null ? null : spec.getPathParams(path);
    String id = parameters == null ? null : parameters.get("id");
    if (id == null) {
      return null;
    }
    try {
      return URLDecoder.decode(id.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      return id; // not a valid id, as it contains a "%"
    }
  }
}
