package sessiontree.web;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Handler of errors that Jetty raises itself, such as a malformed request. Responds in the form of
 * all other errors.
 */
final class ProblemErrors extends ErrorHandler {
  @Override
  public boolean errorPageForMethod(String method) {
    return true;
  }

  @Override
  protected void generateResponse(
      Request request,
      Response response,
      int code,
      String message,
      Throwable cause,
      Callback callback) {
    Problems.endIfOutOfMemory(cause);
    byte[] body =
        switch (code) {
          case 400 -> unreadable(cause);
          case 404 -> Problems.body(new ProblemException(Problem.NOT_FOUND, Problems.NO_ROUTE));
          case 413 ->
              Problems.body(
                  new ProblemException(Problem.MESSAGE_TOO_BIG, "the request is too big"));
          default -> other(code);
        };
    RequestCustomizer.addHeaders(
        response.getHeaders()); // a malformed request skips RequestCustomizer
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, Problems.CONTENT_TYPE);
    response.write(true, ByteBuffer.wrap(body), callback);
  }

  private static byte[] other(int code) {
    boolean ofClient = code < 500 || code == HttpStatus.HTTP_VERSION_NOT_SUPPORTED_505;
    return "{\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":\"the server %s this request\"}"
        .formatted(
            HttpStatus.getMessage(code),
            code,
            ofClient ? Problem.INVALID_PARAMETER.code() : "internal",
            ofClient ? "cannot read" : "failed on")
        .getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Returns the problem of a malformed request. Jetty does not pass on a path that it could not
   * decode; any such path is reported as an invalid session id.
   */
  private static byte[] unreadable(Throwable cause) {
    Throwable why = cause == null ? null : cause.getCause();
    boolean path =
        why instanceof IllegalArgumentException
            && (why.getMessage() + "").matches(".*(hex|path|URI).*");
    return Problems.body(
        path
            ? new ProblemException(
                Problem.INVALID_SESSION_ID, "the request's path cannot be decoded")
            : new ProblemException(Problem.INVALID_PARAMETER, "the request cannot be read"));
  }
}
