package sessiontree.web;

import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/** Responses to the requests of Javalin that no route took, or that a route failed at. */
final class Failures {
  private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
  private static final int MAX_SHOWN = 200;

  private Failures() {}

  static void configure(JavalinConfig config) {
    config.routes.exception(ProblemException.class, (e, ctx) -> Problems.answer(ctx, e));
    config.routes.exception(IOException.class, Failures::storageFailed);
    config.routes.exception(Exception.class, Failures::failed);
    config.router.javaLangErrorHandler(Failures::failed);
    config.routes.error(404, ctx -> unrouted(ctx, Problem.NOT_FOUND, Problems.NO_ROUTE));
    config.routes.error(405, Failures::methodNotAllowed);
  }

  private static void methodNotAllowed(Context ctx) {
    ctx.header("Allow", Route.of(ctx.path()).methods); // those that Javalin does not know, too
    String method = ctx.method().name().toUpperCase(Locale.ROOT);
    unrouted(ctx, Problem.METHOD_NOT_ALLOWED, "this path does not take " + method);
  }

  private static void storageFailed(IOException e, Context ctx) {
    LOG.error("{}: {}", shown(ctx), e.toString());
    Problems.answer(
        ctx, new ProblemException(Problem.STORAGE_UNAVAILABLE, "what is stored cannot be read"));
  }

  private static void failed(Exception e, Context ctx) {
    LOG.error("{} failed", shown(ctx), e);
    ctx.status(500)
        .contentType(Problems.CONTENT_TYPE)
        .result(
            "{\"title\":\"The server failed\",\"status\":500,\"code\":\"internal\",\"detail\":\"see its log\"}");
  }

  private static void failed(HttpServletResponse response, Error e) {
    Problems.endIfOutOfMemory(e);
    LOG.error("a request failed", e);
    response.setStatus(500);
  }

  /** The request line, fit for a log: bounded, and without what could break or disguise a line. */
  private static String shown(Context ctx) {
    String line = ctx.method() + " " + ctx.path();
    String start = line.length() <= MAX_SHOWN ? line : line.substring(0, MAX_SHOWN) + "...";
    return start.replaceAll("[^ -~]", "?");
  }

  /** A route's own 404 has its body already. */
  private static void unrouted(Context ctx, Problem problem, String detail) {
    if (!Problems.CONTENT_TYPE.equals(ctx.res().getContentType())) {
      Problems.answer(ctx, new ProblemException(problem, detail));
    }
  }
}
