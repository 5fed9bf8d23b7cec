package sessiontree.web;

import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.PreEncodedHttpField;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.Request;

/**
 * What holds for every request before any handler sees it. Safe for several threads.
 *
 * <p>The method is the one of the request line: Javalin would take that of {@code
 * X-HTTP-Method-Override} instead, and has no switch for it, so that a request could be admitted by
 * one method and routed by another.
 */
final class EveryRequest implements HttpConfiguration.Customizer {
  private static final String METHOD_OVERRIDE = "X-HTTP-Method-Override";

  private static final HttpField NO_SNIFFING =
      new PreEncodedHttpField("X-Content-Type-Options", "nosniff");
  private static final HttpField NO_STORE =
      new PreEncodedHttpField(HttpHeader.CACHE_CONTROL, "no-store");

  @Override
  public Request customize(Request request, HttpFields.Mutable responseHeaders) {
    addHeaders(responseHeaders);
    return request.getHeaders().contains(METHOD_OVERRIDE) ? new WithoutOverride(request) : request;
  }

  /** Nothing is kept by a cache but what says so, as almost everything here changes. */
  static void addHeaders(HttpFields.Mutable response) {
    response.put(NO_SNIFFING).put(NO_STORE);
  }

  private static final class WithoutOverride extends Request.Wrapper {
    private final HttpFields headers;

    WithoutOverride(Request request) {
      super(request);
      headers =
          request.getHeaders().stream()
              .filter(field -> !field.is(METHOD_OVERRIDE))
              .collect(HttpFields::build, HttpFields.Mutable::add, HttpFields.Mutable::add)
              .asImmutable();
    }

    @Override
    public HttpFields getHeaders() {
      return headers;
    }
  }
}
