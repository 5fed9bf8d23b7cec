package sessiontree.web;

import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Takes a request's body only if there is room for it beside all that is received and not answered;
 * or else 503.
 */
final class Bodies extends Handler.Wrapper {
  private final Inflow inflow;
  private final int maxMessageBytes;

  Bodies(Inflow inflow, int maxMessageBytes) {
    this.inflow = inflow;
    this.maxMessageBytes = maxMessageBytes;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    boolean chunked = request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
    long bytes = chunked ? maxMessageBytes : Math.min(request.getLength(), maxMessageBytes);
    if (bytes <= 0) {
      return super.handle(request, response, callback);
    }
    if (!inflow.tryAdd(bytes)) {
      Problems.answer(
          response,
          callback,
          new ProblemException(
              Problem.STORAGE_UNAVAILABLE, "too much is received and not stored yet; try again"));
      return true;
    }
    Request.addCompletionListener(request, failure -> inflow.subtract(bytes));
    return super.handle(request, response, callback);
  }
}
