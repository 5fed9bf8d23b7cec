package sessiontree.web;

import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Callback;

/**
 * Reads and discards the rest of a request's body after its response was sent, for at most five
 * seconds. If the connection were closed with unread bytes, TCP would reset it, and a client that
 * is still sending might never see why it was refused (RFC 9112, section 9.6).
 */
final class DiscardRemainder extends Callback.Nested implements Runnable {
  private static final long TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final Request request;
  private long sinceNanos;
  private long idleMillis; // the connection's own idle timeout, while another is set; otherwise 0

  DiscardRemainder(Request request, Callback callback) {
    super(callback);
    this.request = request;
  }

  @Override
  public void succeeded() {
    if (request.getHeaders().contains(HttpHeader.EXPECT)) { // the client waits for 100 Continue
      super.succeeded();
      return;
    }
    sinceNanos = System.nanoTime();
    if (Bodies.hasBody(request)) { // the rest may take long to arrive
      request.getComponents().getExecutor().execute(this);
    } else {
      run();
    }
  }

  /** Blocking, as a client that sends without end would otherwise occupy the selector thread. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  @Override
  public void run() {
    while (System.nanoTime() - sinceNanos < TIMEOUT_NANOS) {
      Content.Chunk chunk = request.read();
      if (chunk == null) {
        limitSilence();
        request.demand(this);
        return;
      }
      chunk.release();
      if (chunk.isLast() || Content.Chunk.isFailure(chunk)) {
        break;
      }
    }
    if (idleMillis > 0) {
      endPoint().setIdleTimeout(idleMillis);
    }
    super.succeeded();
  }

  /** Lets the connection's idle timeout end the wait for a client that sends no more. */
  private void limitSilence() {
    if (idleMillis == 0) {
      idleMillis = endPoint().getIdleTimeout();
      endPoint().setIdleTimeout(Math.min(idleMillis, TimeUnit.NANOSECONDS.toMillis(TIMEOUT_NANOS)));
    }
  }

  private EndPoint endPoint() {
    return request.getConnectionMetaData().getConnection().getEndPoint();
  }
}
