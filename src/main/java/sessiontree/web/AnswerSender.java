package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;

/**
 * Sends the answers of Javalin's routes, which Javalin itself writes by a thread that waits for the
 * client: each is collected, and sent as a whole when its route is done. So clients that do not
 * read hold no threads. A GET or HEAD, whose answer may be large, waits for room before its route
 * begins; but not that of the server's health. Safe for several threads.
 */
final class AnswerSender extends Handler.Wrapper {
  /** Answers up to this size are not counted. */
  private static final int SMALL_BYTES = 4 << 10;

  /** Room for an answer whose size is not known yet. */
  private static final int RESERVED_BYTES = 64 << 10;

  private static final String HEALTH = "/health";

  private final Outflow outflow;

  AnswerSender(Outflow outflow) {
    this.outflow = outflow;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    Collected answer = new Collected(request, response, callback);
    boolean reads =
        HttpMethod.GET.is(request.getMethod()) || HttpMethod.HEAD.is(request.getMethod());
    boolean large = reads && !HEALTH.equals(request.getHttpURI().getPath());
    if (!large || outflow.enter(answer, RESERVED_BYTES)) {
      collect(answer);
    } else {
      request.addIdleTimeoutListener(idle -> false); // it is not the client who is slow
    }
    return true;
  }

  private void collect(Collected answer) {
    Handover.answer(getHandler(), answer.getRequest(), answer, answer);
  }

  /** An answer that is collected, and sent when its route succeeds. */
  private final class Collected extends Response.Wrapper implements Callback, Outflow.Sender {
    private final Callback callback;
    private ByteArrayOutputStream bytes = new ByteArrayOutputStream(0);
    private boolean committed;
    private boolean whole;

    Collected(Request request, Response response, Callback callback) {
      super(request, response);
      this.callback = callback;
    }

    @Override
    public void write(boolean last, ByteBuffer part, Callback written) {
      committed = true;
      whole |= last;
      if (BufferUtil.hasContent(part)) {
        bytes.writeBytes(BufferUtil.toArray(part));
        BufferUtil.clear(part);
      }
      written.succeeded();
    }

    @Override
    public boolean isCommitted() {
      return committed || super.isCommitted();
    }

    @Override
    public boolean hasLastWrite() {
      return whole || super.hasLastWrite();
    }

    @Override
    public void succeeded() {
      ByteBuffer body = ByteBuffer.wrap(bytes.toByteArray());
      bytes = null; // it may be as large again
      if (body.remaining() > SMALL_BYTES) {
        outflow.handOver(this, this, body.remaining() + TreeSender.OVERHEAD_BYTES);
      } else {
        outflow.leave(this);
      }
      getWrapped().write(true, body, Callback.from(() -> outflow.leave(this), callback));
    }

    @Override
    public void failed(Throwable cause) {
      outflow.leave(this);
      callback.failed(cause);
    }

    @Override
    public void admit() {
      getRequest().getComponents().getExecutor().execute(() -> collect(this));
    }

    @Override
    public void drop() {
      getRequest().getConnectionMetaData().getConnection().getEndPoint().close();
    }
  }
}
