package sessiontree.web;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import org.eclipse.jetty.io.AbstractEndPoint;
import org.eclipse.jetty.io.FillInterest;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Callback;

/**
 * Detects that a client hangs up while its request waits for the response. Jetty does not notice,
 * as it does not read from an HTTP/1.1 connection meanwhile. If the client sends another request
 * meanwhile, that stays unread, and a hang-up after it goes undetected.
 */
final class Hangup implements Callback {
  private final FillInterest interest;
  private final SocketChannel channel;
  private final Runnable action;

  // All guarded by this.
  private boolean noticed; // whether one notice without bytes has come; the second is the hang-up
  private boolean cancelled;

  private Hangup(AbstractEndPoint endPoint, Runnable action) {
    this.interest = endPoint.getFillInterest();
    this.channel = endPoint.getTransport() instanceof SocketChannel socket ? socket : null;
    this.action = action;
  }

  /**
   * Runs {@code action}, on any thread, when the client closes its side of the connection. Call it
   * only when the request has been read.
   */
  static Hangup await(Request request, Runnable action) {
    AbstractEndPoint endPoint =
        (AbstractEndPoint) request.getConnectionMetaData().getConnection().getEndPoint();
    Hangup hangup = new Hangup(endPoint, action);
    hangup.interest.tryRegister(hangup);
    return hangup;
  }

  /** Stops waiting, so that Jetty can read again. Call it before the response is written. */
  synchronized void cancel() {
    cancelled = true;
    interest.onFail(new IllegalStateException("nobody waits"));
  }

  /**
   * Called when the connection is readable: there are bytes, or it has ended. But the first call
   * may be late, for the bytes of this request: the interest that an earlier wait registered stays
   * with the selector when it is cancelled, and Jetty may have read the bytes since.
   */
  @Override
  public void succeeded() {
    if (hasBytes()) {
      return;
    }
    synchronized (this) {
      if (cancelled) {
        return;
      }
      if (!noticed) {
        noticed = true;
        interest.tryRegister(this);
        return;
      }
    }
    action.run();
  }

  private boolean hasBytes() {
    try {
      return channel != null && channel.socket().getInputStream().available() > 0;
    } catch (IOException e) { // the connection was reset
      return false;
    }
  }

  @Override
  public InvocationType getInvocationType() {
    return InvocationType.NON_BLOCKING;
  }
}
