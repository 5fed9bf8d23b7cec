package sessiontree.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;

/**
 * A socket in a {@link Loop}, connected to a server on this machine. Each buffer is sent with a
 * write of its own, as by a client that sends each message when it has one.
 */
abstract class Peer {
  /** Maximum number of writes before another socket gets its turn. */
  private static final int WRITES_A_TURN = 256;

  private final Loop loop;
  private final SocketChannel channel;
  private final SelectionKey key;
  private ByteBuffer current; // being sent
  private ByteBuffer rest; // received, but incomplete

  Peer(Loop loop, int port) throws IOException {
    this.loop = loop;
    channel = SocketChannel.open();
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    key = channel.register(loop.selector, SelectionKey.OP_CONNECT, this);
  }

  /** Returns the next buffer to send; null if there is none now. */
  abstract ByteBuffer next();

  /** Consumes what is complete in {@code in}; the rest is passed again, with more bytes. */
  abstract void received(ByteBuffer in) throws IOException;

  /**
   * Called when the connection has ended.
   *
   * @param failure the cause; null if the server closed the connection
   */
  abstract void ended(IOException failure);

  /** Sends what {@link #next} returns. Called when there is something to send again. */
  final void wake() throws IOException {
    if (channel.isConnected()) {
      write();
    }
  }

  final void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new AssertionError("a socket cannot be closed", e);
    }
  }

  final void ready() {
    try {
      if (key.isConnectable()) {
        channel.finishConnect();
        write();
      } else {
        if (key.isReadable()) {
          read();
        }
        if (key.isValid() && key.isWritable()) {
          write();
        }
      }
    } catch (IOException e) {
      close();
      ended(e);
    }
  }

  private void read() throws IOException {
    ByteBuffer in = loop.in.clear();
    if (rest != null) {
      in.put(rest);
      rest = null;
    }
    if (channel.read(in) < 0) {
      close();
      ended(null);
      return;
    }
    received(in.flip());
    if (in.hasRemaining()) {
      rest = ByteBuffer.allocate(in.remaining()).put(in).flip();
    }
  }

  private void write() throws IOException {
    for (int i = 0; i < WRITES_A_TURN; i++) {
      if (current == null) {
        current = next();
        if (current == null) {
          interest(SelectionKey.OP_READ);
          return;
        }
      }
      channel.write(current);
      if (current.hasRemaining()) {
        break;
      }
      current = null;
    }
    interest(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
  }

  private void interest(int operations) {
    if (key.isValid() && key.interestOps() != operations) {
      key.interestOps(operations);
    }
  }
}
