package sessiontree.web;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import org.eclipse.jetty.io.AbstractEndPoint;
import org.eclipse.jetty.io.FillInterest;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Callback;

/**
 * Notices that the client of a request hangs up while the request waits for its response: Jetty
 * reads nothing of an HTTP/1.1 connection meanwhile, so it does not. A further request that the
 * client sends meanwhile is left unread, and whatever comes behind it unnoticed.
 */
final class Hangup implements Callback {
  private final FillInterest interest;
  private final SocketChannel channel;
  private final Runnable action;

  private Hangup(AbstractEndPoint endPoint, Runnable action) {
    this.interest = endPoint.getFillInterest();
    this.channel = endPoint.getTransport() instanceof SocketChannel socket ? socket : null;
    this.action = action;
  }

  /**
   * Has an action run, by any thread, when the client closes its side of the connection. Not to be
   * called before the request was read.
   */
  static Hangup await(Request request, Runnable action) {
    AbstractEndPoint endPoint =
        (AbstractEndPoint) request.getConnectionMetaData().getConnection().getEndPoint();
    Hangup hangup = new Hangup(endPoint, action);
    hangup.interest.tryRegister(hangup);
    return hangup;
  }

  /** Jetty may read from now on. To be called before the response is written. */
  void cancel() {
    interest.onFail(new IllegalStateException("nobody waits"));
  }

  /** The connection can be read: there is something, or its end. */
  @Override
  public void succeeded() {
    try {
      if (channel != null && channel.socket().getInputStream().available() > 0) {
        return;
      }
    } catch (IOException e) {
      // it was reset
    }
    action.run();
  }

  @Override
  public InvocationType getInvocationType() {
    return InvocationType.NON_BLOCKING;
  }
}
