package sessiontree.web;

import io.javalin.http.Context;
import io.javalin.http.Handler;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Serves the page, the browser client, and the API documents. Each file is read from the jar,
 * compressed and hashed once. Caches may keep all but the documents, but must revalidate them on
 * each use, so that a new version of the server shows its own page at once.
 */
final class Assets {
  static final String OPENAPI = "openapi.json";
  static final String ASYNCAPI = "asyncapi.json";
  static final String INDEX = "index.html";
  static final String CLIENT = "sessiontree.js";
  static final String TYPES = "sessiontree.d.ts";

  /** Files that {@code /page/{name}} serves. No other name reaches the class loader. */
  static final Set<String> PAGE =
      Set.of(
          "api.js",
          "demo.js",
          "dom.js",
          "events.js",
          "icon.svg",
          "json.js",
          "list.js",
          "page.js",
          "painter.js",
          "session.js",
          "sse.js",
          "style.css",
          "table.js",
          "time.js",
          "timeline.js");

  private static final Map<String, String> CONTENT_TYPES =
      Map.of(
          "json", Responses.JSON,
          "html", "text/html; charset=utf-8",
          "js", "text/javascript; charset=utf-8",
          "ts", "application/typescript; charset=utf-8",
          "css", "text/css; charset=utf-8",
          "svg", "image/svg+xml; charset=utf-8");

  /** Allows the page only the server's own files and data, nothing inline, and no framing. */
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src"
          + " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  /** Files that have been requested, by name. */
  private static final Map<String, Asset> READ = new ConcurrentHashMap<>();

  private Assets() {}

  /** A file's content and its entity tag, without quotes. */
  private record Asset(Responses.Body body, String tag) {
    static Asset read(String name) throws IOException {
      String folder = isDocument(name) ? "/sessiontree/web/" : "/sessiontree/page/";
      try (InputStream in = Assets.class.getResourceAsStream(folder + name)) {
        byte[] bytes = in.readAllBytes();
        String tag = HexFormat.of().formatHex(Tokens.sha256(bytes), 0, 16);
        return new Asset(Responses.Body.of(bytes), tag);
      }
    }
  }

  private static boolean isDocument(String name) {
    return name.endsWith(".json");
  }

  static Handler get(String name) {
    return ctx -> respond(ctx, name);
  }

  /** Serves {@code GET /page/{name}}. */
  static void getOfPage(Context ctx) throws ProblemException, IOException {
    String name = ctx.pathParam("name");
    if (!PAGE.contains(name)) {
      throw new ProblemException(Problem.NOT_FOUND, Problems.NO_ROUTE);
    }
    respond(ctx, name);
  }

  private static void respond(Context ctx, String name) throws IOException {
    Asset asset = READ.get(name);
    if (asset == null) {
      asset = Asset.read(name);
      READ.put(name, asset);
    }
    String type = CONTENT_TYPES.get(name.substring(name.lastIndexOf('.') + 1));
    if (isDocument(name)) {
      Responses.set(ctx, type, asset.body);
      return;
    }
    boolean gzip = asset.body.gzip() != null && Gzip.isAccepted(acceptEncoding(ctx));
    String tag = '"' + asset.tag + (gzip ? "-gzip\"" : "\"");
    ctx.header("ETag", tag).header("Cache-Control", "no-cache");
    if (name.equals(INDEX)) {
      ctx.header("Content-Security-Policy", POLICY).header("Referrer-Policy", "no-referrer");
    }
    List<String> ifNoneMatch = Collections.list(ctx.req().getHeaders("If-None-Match"));
    if (Preconditions.isKnown(ifNoneMatch, Set.of(tag))) {
      ctx.res().addHeader("Vary", "Accept-Encoding"); // besides the Origin of Cors
      ctx.status(304).res().setContentType(null);
      return;
    }
    Responses.set(ctx, type, asset.body);
  }

  private static HttpFields acceptEncoding(Context ctx) {
    List<String> values = Collections.list(ctx.req().getHeaders("Accept-Encoding"));
    return HttpFields.build().put(HttpHeader.ACCEPT_ENCODING.asString(), values);
  }
}
