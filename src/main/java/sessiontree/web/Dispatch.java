package sessiontree.web;

import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Has each request handled by a thread of the pool, in the order in which requests were read. Jetty
 * by itself would have a thread go on with all that one client has sent, while others wait.
 */
final class Dispatch extends Handler.Wrapper {
  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    request.getComponents().getExecutor().execute(() -> handleRead(request, response, callback));
    return true;
  }

  private void handleRead(Request request, Response response, Callback callback) {
    try {
      if (!getHandler().handle(request, response, callback)) {
        Response.writeError(request, response, callback, 404);
      }
    } catch (Throwable e) {
      Response.writeError(request, response, callback, e);
    }
  }

  /** Lets the selector thread, which has read a request, dispatch it itself. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.NON_BLOCKING;
  }
}
