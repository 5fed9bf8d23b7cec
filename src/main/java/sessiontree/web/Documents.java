package sessiontree.web;

import io.javalin.http.Context;
import io.javalin.http.Handler;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Handlers of {@code GET /openapi.json} and {@code GET /asyncapi.json}. */
final class Documents {
  /** Documents that have been requested, by name. */
  private static final Map<String, Responses.Body> READ = new ConcurrentHashMap<>();

  private Documents() {}

  static Handler get(String name) {
    return ctx -> get(ctx, name);
  }

  private static void get(Context ctx, String name) throws IOException {
    Responses.Body document = READ.get(name);
    if (document == null) {
      try (InputStream in = Documents.class.getResourceAsStream(name)) {
        document = Responses.Body.of(in.readAllBytes());
      }
      READ.put(name, document);
    }
    Responses.set(ctx, Responses.JSON, document);
  }
}
