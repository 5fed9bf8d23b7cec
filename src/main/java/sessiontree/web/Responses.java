package sessiontree.web;

import io.javalin.http.Context;

/** What the responses of routes have in common. */
final class Responses {
  static final String JSON = "application/json";

  private Responses() {}

  /** Sets a body that Javalin compresses where the client accepts that. */
  static void set(Context ctx, String contentType, byte[] body) {
    ctx.res().addHeader("Vary", "Accept-Encoding"); // beside Origin
    ctx.contentType(contentType).result(body);
  }
}
