package sessiontree;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A proxy between clients and a server, on a port of its own, which tests cut and mend. */
final class BreakableNetwork implements AutoCloseable {
  private final ServerSocket listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private volatile int target;
  private volatile boolean cut;
  private volatile boolean refusesWebSockets;
  private volatile String response; // to all requests; null to pass them on

  BreakableNetwork() throws IOException {
    daemon(this::accept);
  }

  String url() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  /** Leads new connections to {@code server}. */
  void leadTo(JarServer server) {
    target = server.port();
  }

  /** Breaks all connections, and new ones too until {@link #mend}. */
  void cut() {
    cut = true;
    sockets.forEach(this::close);
  }

  void mend() {
    cut = false;
    response = null;
  }

  /** Responds 403 to WebSocket upgrades, as some companies' proxies do. */
  void refuseWebSockets() {
    refusesWebSockets = true;
  }

  /** Breaks open connections, and responds to all requests by itself until {@link #mend}. */
  void respond(String status, String contentType, String body) {
    response =
        "HTTP/1.1 %s\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: %s\r\n\r\n%s"
            .formatted(status, contentType, body);
    sockets.forEach(this::close);
  }

  private void accept() {
    try {
      while (true) {
        Socket client = listener.accept();
        sockets.add(client);
        daemon(() -> connect(client));
      }
    } catch (IOException e) {
      // closed
    }
  }

  private void connect(Socket client) {
    Socket server = null;
    try {
      InputStream in = client.getInputStream();
      byte[] head = refusesWebSockets || response != null ? head(in) : new byte[0];
      String own = response;
      if (own != null) {
        client.getOutputStream().write(own.getBytes(ISO_8859_1));
        client.shutdownOutput();
        in.transferTo(OutputStream.nullOutputStream()); // unread bytes would reset the connection
      } else if (new String(head, ISO_8859_1)
          .toLowerCase(Locale.ROOT)
          .contains("upgrade: websocket")) {
        client
            .getOutputStream()
            .write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".getBytes(ISO_8859_1));
      } else if (!cut) {
        server = new Socket(InetAddress.getLoopbackAddress(), target);
        sockets.add(server);
        Socket opened = server;
        daemon(() -> copy(opened, client));
        server.getOutputStream().write(head);
        copy(client, server);
      }
    } catch (IOException e) {
      // one side is gone; both are closed below
    } finally {
      close(client);
      if (server != null) {
        close(server);
      }
    }
  }

  /** Reads a request's head, and no byte after it. */
  private static byte[] head(InputStream in) throws IOException {
    ByteArrayOutputStream head = new ByteArrayOutputStream();
    for (int b; !head.toString(ISO_8859_1).endsWith("\r\n\r\n") && (b = in.read()) >= 0; ) {
      head.write(b);
    }
    return head.toByteArray();
  }

  private void copy(Socket from, Socket to) {
    byte[] buffer = new byte[8192];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int read; !cut && (read = in.read(buffer)) >= 0; ) {
        out.write(buffer, 0, read);
      }
    } catch (IOException e) {
      // one side is gone
    }
    close(from);
    close(to);
  }

  private void close(Socket socket) {
    sockets.remove(socket);
    try {
      socket.close();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static void daemon(Runnable task) {
    Thread thread = new Thread(task, "network");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() throws IOException {
    cut();
    listener.close();
  }
}
