package sessiontree.web;

import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.PreEncodedHttpField;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.Request;

/**
 * Customizer of every request, called before any handler. Safe for several threads.
 *
 * <p>The method is always that of the request line. Javalin would use {@code
 * X-HTTP-Method-Override} instead and cannot be told not to, so a request could be authorized by
 * one method and routed by another. The path can always be decoded: Jetty accepts {@code %u0041}
 * too, on which Javalin would fail.
 */
final class RequestCustomizer implements HttpConfiguration.Customizer {
  private static final String METHOD_OVERRIDE = "X-HTTP-Method-Override";

  private static final HttpField NO_SNIFFING =
      new PreEncodedHttpField("X-Content-Type-Options", "nosniff");
  private static final HttpField NO_STORE =
      new PreEncodedHttpField(HttpHeader.CACHE_CONTROL, "no-store");

  /** A percent sign that is not followed by two hex digits (RFC 3986, section 2.1). */
  static final Pattern BAD_ESCAPE = Pattern.compile("%(?![0-9a-fA-F]{2})");

  @Override
  public Request customize(Request request, HttpFields.Mutable responseHeaders) {
    addHeaders(responseHeaders);
    String path = request.getHttpURI().getPath();
    if (path != null && path.indexOf('%') >= 0 && BAD_ESCAPE.matcher(path).find()) {
      throw new HttpException.RuntimeException(
          HttpStatus.BAD_REQUEST_400, "Bad URI", new IllegalArgumentException("path"));
    }
    return request.getHeaders().contains(METHOD_OVERRIDE) ? new WithoutOverride(request) : request;
  }

  /** Adds default headers, which forbid caching, as almost everything here changes. */
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
