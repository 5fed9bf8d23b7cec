package sessiontree.web;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Decides which origins' pages may send requests, and what they may send and read (CORS; Fetch
 * Standard, section 3.2). An origin that is allowed by name may use any headers and credentials, as
 * beacons and instrumented pages do. Immutable.
 */
final class Cors {
  private static final String METHODS = "GET, HEAD, POST, DELETE";
  private static final String EXPOSED =
      "ETag, Location, Retry-After, WWW-Authenticate, Allow, Accept-Encoding, Date";
  private static final String MAX_AGE_SECONDS = "7200";

  /** A header's name (RFC 9110, section 5.1). */
  private static final Pattern NAME = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

  /** Bound on the header names sent to a preflight: a response's head has room for 8 KiB. */
  private static final int MAX_NAMES_CHARACTERS = 4_096;

  private final boolean any;
  private final Set<String> names;

  /** Allows these normalized origins, or all origins if they contain {@code *}. */
  Cors(List<String> origins) {
    this.any = origins.contains(Origin.ANY);
    this.names = Set.copyOf(origins);
  }

  /** Refuses requests from origins that are not allowed; sets the CORS headers for others. */
  void check(Request request, HttpFields.Mutable response) throws ProblemException {
    List<String> sent = request.getHeaders().getValuesList(HttpHeader.ORIGIN);
    if (!names.isEmpty()) {
      response.add(HttpHeader.VARY, HttpHeader.ORIGIN.asString());
    }
    if (sent.isEmpty()) {
      return;
    }
    String origin = sent.get(0).toLowerCase(Locale.ROOT);
    if (sent.size() == 1 && (any || isNamed(origin))) {
      response.put(HttpHeader.ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
      if (isNamed(origin)) {
        response.put(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, sent.get(0));
        response.put(HttpHeader.ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
      } else {
        response.put(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, Origin.ANY);
      }
    } else if (sent.size() > 1 || !Origin.isOf(request.getHeaders().get(HttpHeader.HOST), origin)) {
      throw new ProblemException(
          Problem.ORIGIN_NOT_ALLOWED, "pages of this origin are not allowed; see --allowed-origin");
    }
  }

  private boolean isNamed(String origin) {
    return !origin.equals(Origin.ANY) && names.contains(origin);
  }

  static boolean isPreflight(Request request) {
    return HttpMethod.OPTIONS.is(request.getMethod())
        && request.getHeaders().contains(HttpHeader.ORIGIN)
        && request.getHeaders().contains(HttpHeader.ACCESS_CONTROL_REQUEST_METHOD);
  }

  /** Responds to a preflight that {@link #check} let through, allowing the headers it names. */
  static void respondToPreflight(Request request, Response response, Callback callback) {
    HttpFields.Mutable headers = response.getHeaders();
    headers.put(HttpHeader.ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.put(HttpHeader.ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    headers.add(HttpHeader.VARY, HttpHeader.ACCESS_CONTROL_REQUEST_HEADERS.asString());
    List<String> names = requestedNames(request);
    if (!names.isEmpty()) {
      headers.put(HttpHeader.ACCESS_CONTROL_ALLOW_HEADERS, String.join(", ", names));
    }
    response.setStatus(204);
    response.write(true, null, callback);
  }

  private static List<String> requestedNames(Request request) {
    List<String> names = new ArrayList<>();
    int characters = 0;
    for (String name :
        request.getHeaders().getCSV(HttpHeader.ACCESS_CONTROL_REQUEST_HEADERS, false)) {
      characters += name.length() + ", ".length();
      if (NAME.matcher(name).matches() && characters <= MAX_NAMES_CHARACTERS) {
        names.add(name);
      }
    }
    return names;
  }
}
