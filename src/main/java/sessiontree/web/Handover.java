package sessiontree.web;

import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Hands requests over to the pool, from the thread that selects sockets and has read them: that one
 * must not wait, for a disk or for a client. What stands before is done by it, and saves a change
 * of threads.
 */
final class Handover extends Handler.Wrapper {
  private final int every;
  private final AtomicInteger requests = new AtomicInteger();

  /**
   * A handler that hands over one of so many requests, and what its client sends behind it; 1 for
   * all.
   */
  Handover(int every) {
    this.every = every;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    if (requests.incrementAndGet() % every != 0) {
      return super.handle(request, response, callback);
    }
    request
        .getComponents()
        .getExecutor()
        .execute(() -> answer(getHandler(), request, response, callback));
    return true;
  }

  /** Has a handler answer, or fail, where nobody above would. */
  static void answer(Handler handler, Request request, Response response, Callback callback) {
    try {
      if (!handler.handle(request, response, callback)) {
        Response.writeError(request, response, callback, 404);
      }
    } catch (Throwable e) {
      Response.writeError(request, response, callback, e);
    }
  }

  /** Where all are handed over, what stands behind does not count. */
  @Override
  public InvocationType getInvocationType() {
    return every == 1 ? InvocationType.NON_BLOCKING : super.getInvocationType();
  }
}
