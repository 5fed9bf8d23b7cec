package sessiontree.web;

import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Callback;

/**
 * Reads, and drops, what of a request's body was not read when its response was sent; for a while.
 * If the connection were closed with something unread in it, TCP would reset it, and a client that
 * is still sending might never see why it was refused (RFC 9112, section 9.6).
 */
final class Remainder extends Callback.Nested implements Runnable {
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final Request request;
  private long sinceNanos;

  Remainder(Request request, Callback callback) {
    super(callback);
    this.request = request;
  }

  @Override
  public void succeeded() {
    if (request.getHeaders().contains(HttpHeader.EXPECT)) { // it waits to be asked for its body
      super.succeeded();
      return;
    }
    sinceNanos = System.nanoTime();
    if (Bodies.hasBody(request)) { // it may be long in coming
      request.getComponents().getExecutor().execute(this);
    } else {
      run();
    }
  }

  /** A client that sends without end would keep the thread that selects. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  @Override
  public void run() {
    while (System.nanoTime() - sinceNanos < PATIENCE_NANOS) {
      Content.Chunk chunk = request.read();
      if (chunk == null) {
        request.demand(this);
        return;
      }
      chunk.release();
      if (chunk.isLast() || Content.Chunk.isFailure(chunk)) {
        break;
      }
    }
    super.succeeded();
  }
}
