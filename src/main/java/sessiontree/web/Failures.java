package sessiontree.web;

import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/** Javalin's error responses: to requests that match no route, or on which a route failed. */
final class Failures {
  private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
  private static final int MAX_SHOWN = 200;

  private Failures() {}

  static void configure(JavalinConfig config) {
    config.routes.exception(ProblemException.class, (e, ctx) -> Problems.respond(ctx, e));
    config.routes.exception(IOException.class, Failures::storageFailed);
    config.routes.exception(Exception.class, Failures::failed);
    config.router.javaLangErrorHandler(Failures::failed);
    config.routes.exception(HttpResponseException.class, Failures::unrouted);
  }

  private static void storageFailed(IOException e, Context ctx) {
    LOG.error("{}: {}", shown(ctx), e.toString());
    Problems.respond(ctx, Problems.unreadable());
  }

  private static void failed(Exception e, Context ctx) {
    LOG.error("{} failed", shown(ctx), e);
    String problem =
        "{\"title\":\"The server failed\",\"status\":500,\"code\":\"internal\",\"detail\":\"see its"
            + " log\"}";
    Responses.setShort(
        ctx.status(500), Problems.CONTENT_TYPE, problem.getBytes(StandardCharsets.US_ASCII));
  }

  private static void failed(HttpServletResponse response, Error e) {
    Problems.endIfOutOfMemory(e);
    LOG.error("a request failed", e);
    response.setStatus(500);
  }

  /** Returns the request line for the log: bounded, and unable to break or disguise a line. */
  private static String shown(Context ctx) {
    String line = ctx.method() + " " + ctx.path();
    String start = line.length() <= MAX_SHOWN ? line : line.substring(0, MAX_SHOWN) + "...";
    return start.replaceAll("[^ -~]", "?");
  }

  /** Handles the exceptions that Javalin itself throws; no route throws them. */
  private static void unrouted(HttpResponseException e, Context ctx) {
    ProblemException problem = new ProblemException(Problem.NOT_FOUND, Problems.NO_ROUTE);
    Route route = Route.of(ctx.path());
    if (route != null) { // including those served in front of Javalin
      ctx.header("Allow", route.methods);
      String method = ctx.method().name().toUpperCase(Locale.ROOT);
      problem =
          new ProblemException(Problem.METHOD_NOT_ALLOWED, "this path does not take " + method);
    }
    Problems.respond(ctx, problem);
  }
}
