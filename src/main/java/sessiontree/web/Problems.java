package sessiontree.web;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.javalin.http.Context;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.store.DaemonThreads;

/**
 * Reports problems: over HTTP as {@code application/problem+json} (RFC 9457), on a stream as ERROR.
 */
final class Problems {
  static final String CONTENT_TYPE = "application/problem+json";

  static final String NO_ROUTE = "no route of the API has this path";

  /** Seconds after which a client may retry a request that was refused with 503. */
  private static final String RETRY_AFTER = "1";

  /** The request attribute that holds the problem code of a refused request. */
  static final String CODE = "sessiontree.code";

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private Problems() {}

  static int status(Problem problem) {
    return switch (problem) {
      case INVALID_SESSION_ID,
          INVALID_JSON,
          INVALID_MESSAGE,
          INVALID_ENTRY,
          SESSION_NOT_STARTED,
          SESSION_ALREADY_STARTED,
          SESSION_ID_MISMATCH,
          ENTRY_AFTER_END,
          INVALID_PARAMETER ->
          400;
      case UNAUTHORIZED -> 401;
      case ORIGIN_NOT_ALLOWED, HOST_NOT_ALLOWED, FORBIDDEN -> 403;
      case SESSION_NOT_FOUND, NOT_FOUND, SESSION_DELETED -> 404;
      case METHOD_NOT_ALLOWED -> 405;
      case TOO_MANY_WRITERS, SESSION_IN_PROGRESS, SESSION_COMPLETE, MESSAGE_OUT_OF_ORDER -> 409;
      case REQUEST_TIMEOUT -> 408;
      case PRECONDITION_FAILED -> 412;
      case MESSAGE_TOO_BIG -> 413;
      case UNSUPPORTED_ENCODING -> 415;
      case UPGRADE_REQUIRED -> 426;
      case STORAGE_UNAVAILABLE, TOO_MANY_CONNECTIONS, TOO_MANY_SESSIONS -> 503;
    };
  }

  /**
   * Passes an {@link OutOfMemoryError}, which Jetty and Javalin would catch, to the process's
   * handler of uncaught exceptions, which ends the process.
   */
  static void endIfOutOfMemory(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof OutOfMemoryError) {
        DaemonThreads.uncaught(cause);
      }
    }
  }

  static ProblemException notFound(String id) {
    return new ProblemException(Problem.SESSION_NOT_FOUND, "nothing is stored of session " + id);
  }

  static ProblemException unreadable() {
    return new ProblemException(Problem.STORAGE_UNAVAILABLE, "the stored data cannot be read");
  }

  static ProblemException tooBig(int maxMessageBytes) {
    return new ProblemException(
        Problem.MESSAGE_TOO_BIG,
        "a message has at most " + maxMessageBytes + " bytes; this one has more");
  }

  /** Returns the body of a problem response. */
  static byte[] body(ProblemException e) {
    ObjectNode json = JSON.objectNode();
    json.put("title", e.problem().title()).put("status", status(e.problem()));
    return bytes(describe(json, e));
  }

  /**
   * Returns the text of an ERROR frame.
   *
   * @param message the number of the refused message; 0 if the problem is not about a message
   */
  static byte[] frame(long message, ProblemException e) {
    ObjectNode json = JSON.objectNode().put("type", "ERROR");
    if (message > 0) {
      json.put("message", message);
    }
    return bytes(describe(json, e));
  }

  private static ObjectNode describe(ObjectNode json, ProblemException e) {
    json.put("code", e.problem().code());
    if (e.pointer() != null) {
      json.put("pointer", e.pointer());
    }
    json.put("detail", e.detail());
    if (e.factName() != null) {
      json.put(e.factName(), e.fact());
    }
    return json;
  }

  private static byte[] bytes(ObjectNode json) {
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** Responds to a request that Javalin handles. */
  static void respond(Context ctx, ProblemException e) {
    ctx.attribute(CODE, e.problem().code());
    headers(e.problem()).forEach(ctx::header);
    Responses.setShort(ctx.status(status(e.problem())), CONTENT_TYPE, body(e));
  }

  /** Responds to a request that does not reach Javalin. */
  static void respond(Response response, Callback callback, ProblemException e) {
    response.getRequest().setAttribute(CODE, e.problem().code());
    headers(e.problem()).forEach(response.getHeaders()::put);
    response.setStatus(status(e.problem()));
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, CONTENT_TYPE);
    response.write(true, ByteBuffer.wrap(body(e)), callback);
  }

  private static Map<String, String> headers(Problem problem) {
    return switch (problem) {
      case STORAGE_UNAVAILABLE, TOO_MANY_CONNECTIONS, TOO_MANY_SESSIONS ->
          Map.of("Retry-After", RETRY_AFTER);
      case UNSUPPORTED_ENCODING -> Map.of("Accept-Encoding", "gzip");
      case UPGRADE_REQUIRED -> Map.of("Upgrade", "websocket", "Sec-WebSocket-Version", "13");
      default -> Map.of();
    };
  }
}
