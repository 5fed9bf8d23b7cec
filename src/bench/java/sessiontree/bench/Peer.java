package sessiontree.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;

/**
 * A socket of a {@link Loop} to a server on this machine. Each buffer to send is a write of its
 * own, as it is with a client that sends a message whenever it has one.
 */
abstract class Peer {
  /** So many writes, and it is another socket's turn. */
  private static final int WRITES_A_TURN = 256;

  private final Loop loop;
  private final SocketChannel channel;
  private final SelectionKey key;
  private ByteBuffer current; // being sent
  private ByteBuffer rest; // received, and not whole yet

  Peer(Loop loop, int port) throws IOException {
    this.loop = loop;
    channel = SocketChannel.open();
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    key = channel.register(loop.selector, SelectionKey.OP_CONNECT, this);
  }

  /** What is to be sent next; null if there is nothing now. */
  abstract ByteBuffer next();

  /** Takes what is whole; the rest comes again, with more. */
  abstract void received(ByteBuffer in) throws IOException;

  /**
   * The connection is no more.
   *
   * @param failure null if the server closed it
   */
  abstract void ended(IOException failure);

  /** There is something to send. */
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
