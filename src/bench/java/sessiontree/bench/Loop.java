package sessiontree.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** One thread that serves all sockets of a load, so that the load costs little CPU itself. */
final class Loop implements AutoCloseable {
  private static final int READ_BYTES = 256 << 10;

  final Selector selector;

  /** What is read goes through it, of one peer after another. */
  final ByteBuffer in = ByteBuffer.allocateDirect(READ_BYTES);

  private Loop(Selector selector) {
    this.selector = selector;
  }

  static Loop open() throws IOException {
    return new Loop(Selector.open());
  }

  /**
   * Serves the sockets until something is so.
   *
   * @throws IOException if it is not so within the time
   */
  void runUntil(BooleanSupplier done, Duration limit) throws IOException {
    long until = System.nanoTime() + limit.toNanos();
    while (!done.getAsBoolean()) {
      turn(100);
      if (System.nanoTime() > until) {
        throw new IOException("not done within " + limit);
      }
    }
  }

  /** Serves the sockets until then. */
  void runTo(long nanoTime) throws IOException {
    for (long left; (left = nanoTime - System.nanoTime()) > 0; ) {
      turn(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
    }
  }

  /** Serves what is ready; waits for it so long at most. */
  void turn(long millis) throws IOException {
    selector.select(Loop::ready, millis);
  }

  private static void ready(SelectionKey key) {
    ((Peer) key.attachment()).ready();
  }

  @Override
  public void close() throws IOException {
    for (SelectionKey key : selector.keys()) {
      key.channel().close();
    }
    selector.close();
  }
}
