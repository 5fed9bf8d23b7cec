package sessiontree;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * A proxy between a server and its database that cuts connections before, within or after a packet,
 * in either direction. A seed determines which packets.
 */
public final class CuttingProxy implements AutoCloseable {
  private static final int LATE_MILLIS = 1_500; // more than a server waits before a retry

  private final ServerSocket listener;
  private final int target;
  private final Random random;
  private final List<Socket> open = new ArrayList<>(); // guarded by this

  // Guarded by this.
  private int oneOf = 1; // one packet in so many is cut, at random
  private int cuts;
  private int maxCuts;

  public CuttingProxy(int target, long seed) throws IOException {
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    this.target = target;
    this.random = new Random(seed);
    start(this::accept);
  }

  public int port() {
    return listener.getLocalPort();
  }

  /** Cuts one packet in {@code packets} from now on, at most {@code times} times. */
  public synchronized void cut(int packets, int times) {
    oneOf = packets;
    maxCuts = cuts + times;
  }

  /** Returns the number of connections that were cut. */
  public synchronized int cuts() {
    return cuts;
  }

  private static void start(Runnable task) {
    Thread thread = new Thread(task, "cutting proxy");
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        Socket server = new Socket();
        server.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target), 5_000);
        client.setTcpNoDelay(true);
        server.setTcpNoDelay(true);
        synchronized (this) {
          open.add(client);
          open.add(server);
        }
        start(() -> pump(client, server));
        start(() -> pump(server, client));
      } catch (IOException e) {
        continue; // closed, or the target is down
      }
    }
  }

  private void pump(Socket from, Socket to) {
    byte[] bytes = new byte[1 << 16];
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n; (n = in.read(bytes)) >= 0; ) {
        int passed = passed(n);
        if (passed >= 0 && isLate()) { // delivered after its sender has given up
          from.close();
          TimeUnit.MILLISECONDS.sleep(LATE_MILLIS);
        }
        out.write(bytes, 0, passed < 0 ? n : passed);
        out.flush();
        if (passed >= 0) {
          return;
        }
      }
    } catch (IOException | InterruptedException e) {
      return; // the other direction has closed both
    }
  }

  private synchronized boolean isLate() {
    return random.nextBoolean();
  }

  /** Returns how many of the bytes pass before the cut, or -1 for no cut. */
  private synchronized int passed(int bytes) {
    if (cuts >= maxCuts || random.nextInt(oneOf) > 0) {
      return -1;
    }
    cuts++;
    return switch (random.nextInt(3)) {
      case 0 -> 0;
      case 1 -> random.nextInt(bytes);
      default -> bytes;
    };
  }

  @Override
  public synchronized void close() throws IOException {
    listener.close();
    for (Socket one : open) {
      one.close();
    }
  }
}
