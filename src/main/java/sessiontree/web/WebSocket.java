package sessiontree.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import org.eclipse.jetty.io.AbstractConnection;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingCallback;

/**
 * A WebSocket on a socket of Jetty's: reads what is there, takes it apart, and only then says that
 * it has been; and writes what there is to say in one. So a read of many small messages costs
 * little more than one of a large message, which Jetty's own WebSocket, frame by frame, cannot do.
 *
 * <p>One thread at a time reads, and one writes. What both touch is guarded by this; the socket is
 * not used while it is held.
 */
abstract class WebSocket extends AbstractConnection
    implements Connection.UpgradeTo, FrameReader.Sink {
  /** What is read at a time, at most; its bytes are the thread's until they are taken apart. */
  static final int MAX_INPUT_BYTES = 64 << 10;

  private static final ThreadLocal<byte[]> INPUT =
      ThreadLocal.withInitial(() -> new byte[MAX_INPUT_BYTES]);

  private enum Reading {
    /** Until {@link #resume}. */
    PAUSED,
    /** Until {@link #admit}. */
    BLOCKED,
    /** Until something comes. */
    WAITING,
    /** A thread reads. */
    RUNNING
  }

  private final int inputBytes;
  private final FrameReader frames;
  private final Output output = new Output();
  private final Callback callback = new ReadCallback();

  /** What came together with the upgrade; the reading thread's own. */
  private ByteBuffer early;

  /** Guarded by this. */
  private Reading reading = Reading.PAUSED;

  WebSocket(EndPoint endPoint, Executor executor, int inputBytes, int maxMessageBytes) {
    super(endPoint, executor);
    this.inputBytes = inputBytes;
    this.frames = new FrameReader(maxMessageBytes, this);
  }

  /** The connection is one now. */
  abstract void opened();

  /** Whether it wants more. Called while this is held. */
  abstract boolean mayRead();

  /**
   * Whether there is room for more. If not, {@link #admit} is called when there is. Called while
   * this is held.
   */
  abstract boolean hasRoom();

  /** Others may be read from now. */
  abstract void turnOver();

  /**
   * All that was read is handed on.
   *
   * @param held bytes of a message that is not whole yet
   */
  abstract void received(int held);

  /** What is to be written now, or null. It is called again when that is written. */
  abstract ByteBuffer output();

  /** What {@link #output} told is written. */
  abstract void written();

  @Override
  public final void onUpgradeTo(ByteBuffer buffer) {
    early = buffer;
  }

  @Override
  public final void onOpen() {
    super.onOpen();
    getEndPoint().setIdleTimeout(0); // pings tell who is gone
    opened();
    resume();
  }

  /** Reads on, if more may be read, and nobody does. */
  final void resume() {
    boolean atOnce;
    synchronized (this) {
      if (reading != Reading.PAUSED || !mayRead()) {
        return;
      }
      atOnce = early != null;
      reading = !atOnce ? Reading.WAITING : hasRoom() ? Reading.RUNNING : Reading.BLOCKED;
      if (reading == Reading.BLOCKED) {
        return;
      }
    }
    if (atOnce) {
      getExecutor().execute(this::read);
    } else {
      fillInterested(callback);
    }
  }

  /** Reads what is there, as there is room now. False if it does not wait for that. */
  public final boolean admit() {
    synchronized (this) {
      if (reading != Reading.BLOCKED) {
        return false;
      }
      reading = Reading.RUNNING;
    }
    getExecutor().execute(this::read);
    return true;
  }

  /** Whether it is read from, so that silence is the client's. Guarded by this. */
  final boolean isListening() {
    return reading == Reading.WAITING || reading == Reading.RUNNING;
  }

  @Override
  public final void onFillable() {
    synchronized (this) { // others may have taken the room since it was waited for
      reading = !mayRead() ? Reading.PAUSED : hasRoom() ? Reading.RUNNING : Reading.BLOCKED;
      if (reading != Reading.RUNNING) {
        return;
      }
    }
    read();
  }

  @Override
  public final void onFillInterestedFailed(Throwable cause) {
    close();
  }

  /** Reading waits for nothing, so whichever thread finds that there is something reads it. */
  private final class ReadCallback implements Callback {
    @Override
    public void succeeded() {
      onFillable();
    }

    @Override
    public void failed(Throwable cause) {
      onFillInterestedFailed(cause);
    }

    @Override
    public InvocationType getInvocationType() {
      return InvocationType.NON_BLOCKING;
    }
  }

  /**
   * Reads once, and has the selector tell when there is more, so that a client that sends without
   * end holds up nobody.
   */
  private void read() {
    try {
      byte[] input = INPUT.get();
      int filled;
      do {
        filled = fill(input);
        if (filled > 0) {
          frames.read(input, 0, filled);
          received(frames.held());
        }
      } while (early != null);
      if (filled < 0) {
        close();
        return;
      }
      synchronized (this) {
        if (!mayRead()) {
          reading = Reading.PAUSED;
          return;
        }
        if (frames.held() > 0 && !hasRoom()) { // it must not hold up others in silence
          reading = Reading.BLOCKED;
          return;
        }
        reading = Reading.WAITING;
      }
      fillInterested(callback);
    } catch (IOException e) {
      close();
    } finally {
      turnOver();
    }
  }

  private int fill(byte[] input) throws IOException {
    if (early == null) {
      ByteBuffer empty = ByteBuffer.wrap(input, 0, inputBytes).slice();
      return getEndPoint().fill(empty.limit(0)); // what is read is put behind the limit
    }
    int bytes = Math.min(early.remaining(), inputBytes);
    early.get(input, 0, bytes);
    early = early.hasRemaining() ? early : null;
    return bytes;
  }

  /** Writes what there is to say, now or when what is being written is. Any thread may call it. */
  final void flush() {
    output.iterate();
  }

  private final class Output extends IteratingCallback {
    @Override
    protected Action process() {
      ByteBuffer bytes = output();
      if (bytes == null) {
        return Action.IDLE;
      }
      getEndPoint().write(this, bytes);
      return Action.SCHEDULED;
    }

    @Override
    protected void onSuccess() {
      written();
    }

    @Override
    protected void onFailure(Throwable cause) {
      WebSocket.this.close();
    }

    @Override
    public InvocationType getInvocationType() {
      return InvocationType.NON_BLOCKING;
    }
  }
}
