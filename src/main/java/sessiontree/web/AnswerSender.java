package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Sends the answers of Javalin's routes, which Javalin itself writes by a thread that waits for the
 * client: each is collected, and sent as a whole when its route is done. So clients that do not
 * read hold no threads. Safe for several threads.
 */
final class AnswerSender extends Handler.Wrapper {
  /** Answers up to this size are always sent; larger ones if there is room beside trees. */
  private static final int SMALL_BYTES = 4 << 10;

  private final Outflow outflow;

  AnswerSender(Outflow outflow) {
    this.outflow = outflow;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    Answer answer = new Answer(request, response, callback);
    return super.handle(request, answer, answer);
  }

  /** An answer that is collected, and to be sent when the route succeeds. */
  private final class Answer extends Response.Wrapper implements Callback, Outflow.Sender {
    private final Callback callback;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(0);
    private boolean committed;
    private boolean whole;

    Answer(Request request, Response response, Callback callback) {
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
      if (body.remaining() <= SMALL_BYTES) {
        getWrapped().write(true, body, callback);
      } else if (outflow.tryEnterAhead(this, body.remaining())) {
        getWrapped().write(true, body, Callback.from(() -> outflow.leave(this), callback));
      } else {
        Problems.answer(
            getWrapped(),
            callback,
            new ProblemException(
                Problem.STORAGE_UNAVAILABLE, "too much is being sent to others; try again"));
      }
    }

    @Override
    public void failed(Throwable cause) {
      callback.failed(cause);
    }

    @Override
    public void admit() {} // it never waits

    @Override
    public void drop() {
      getRequest().getConnectionMetaData().getConnection().getEndPoint().close();
    }
  }
}
