package sessiontree.web;

import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Dispatches each request to a pool thread, in the order in which requests were read. Jetty alone
 * would let one thread handle everything that a client has sent, while other clients wait.
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

  /** Lets the selector thread that has read a request dispatch it directly. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.NON_BLOCKING;
  }
}
