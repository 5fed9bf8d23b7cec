package sessiontree.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** An event loop on one thread for all sockets of a load, so that the load uses little CPU. */
final class Loop implements AutoCloseable {
  private static final int READ_BYTES = 256 << 10;

  final Selector selector;

  /** Read buffer that the peers use in turn. */
  final ByteBuffer in = ByteBuffer.allocateDirect(READ_BYTES);

  private Loop(Selector selector) {
    this.selector = selector;
  }

  static Loop open() throws IOException {
    return new Loop(Selector.open());
  }

  /**
   * Serves the sockets until {@code done} returns true.
   *
   * @throws IOException if that takes longer than {@code limit}
   */
  void runUntil(BooleanSupplier done, Duration limit) throws IOException {
    long until = System.nanoTime() + limit.toNanos();
    while (!done.getAsBoolean()) {
      turn(100);
      if (System.nanoTime() > until) {
        throw new IOException("timed out after " + limit);
      }
    }
  }

  /** Serves the sockets until {@link System#nanoTime} reaches {@code nanoTime}. */
  void runTo(long nanoTime) throws IOException {
    for (long left; (left = nanoTime - System.nanoTime()) > 0; ) {
      turn(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
    }
  }

  /** Serves the sockets that are ready; waits for one at most {@code millis}. */
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
