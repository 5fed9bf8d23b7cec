package sessiontree.bench;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.function.LongFunction;

/** HTTP requests over connections that stay, the next when the one before is answered. */
final class Requests {
  private static final Duration LIMIT = Duration.ofMinutes(10);
  private static final byte[] LENGTH = "\r\ncontent-length: ".getBytes(StandardCharsets.US_ASCII);

  private final int port;
  private final LongFunction<String> requests;
  private final long count;
  private final long untilNanos;
  private Loop loop;
  private long begun;
  private long acked;
  private int ended;
  private IOException failure;

  private Requests(int port, LongFunction<String> requests, long count, long untilNanos) {
    this.port = port;
    this.requests = requests;
    this.count = count;
    this.untilNanos = untilNanos;
  }

  /** Sends so many requests, made by their numbers; each must be answered with a 200. */
  static void send(int port, int connections, long count, LongFunction<String> requests)
      throws IOException {
    new Requests(port, requests, count, Long.MAX_VALUE).run(connections);
  }

  /** Sends one request again and again for a time; returns how many were answered. */
  static long repeat(int port, int connections, Duration time, String request) throws IOException {
    long until = System.nanoTime() + time.toNanos();
    return new Requests(port, number -> request, Long.MAX_VALUE, until).run(connections);
  }

  static String get(String path) {
    return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  }

  static String post(String path, String body) {
    return "POST "
        + path
        + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        + body.length()
        + "\r\n\r\n"
        + body;
  }

  private long run(int connections) throws IOException {
    try (Loop opened = Loop.open()) {
      loop = opened;
      for (int i = 0; i < connections; i++) {
        new Connection();
      }
      loop.runUntil(() -> ended == connections || failure != null, LIMIT);
    }
    if (failure != null) {
      throw failure;
    }
    return acked;
  }

  private final class Connection extends Peer {
    private boolean waiting;
    private byte[] request;
    private String requestText;

    Connection() throws IOException {
      super(loop, port);
    }

    @Override
    ByteBuffer next() {
      if (waiting) {
        return null;
      }
      if (begun == count || System.nanoTime() > untilNanos) {
        close();
        ended++;
        return null;
      }
      waiting = true;
      String text = requests.apply(begun++);
      if (!text.equals(requestText)) {
        requestText = text;
        request = text.getBytes(StandardCharsets.US_ASCII);
      }
      return ByteBuffer.wrap(request);
    }

    @Override
    void received(ByteBuffer in) throws IOException {
      int start = in.position();
      for (int i = start; i + 4 <= in.limit(); i++) {
        if (in.getInt(i) == 0x0d0a0d0a) {
          int body = length(in, start, i);
          if (in.limit() - i - 4 < body) {
            return;
          }
          in.position(i + 4 + body);
          waiting = false;
          acked++;
          wake();
          return;
        }
      }
    }

    private int length(ByteBuffer in, int start, int headEnd) throws IOException {
      byte[] head = new byte[headEnd - start];
      in.get(start, head);
      int status = 100 * (head[9] - '0') + 10 * (head[10] - '0') + head[11] - '0';
      if (status != 200) {
        throw new IOException(
            "unexpected response: " + new String(head, StandardCharsets.US_ASCII));
      }
      for (int i = 12; i + LENGTH.length < head.length; i++) {
        int k = 0;
        while (k < LENGTH.length && (head[i + k] | (k < 2 ? 0 : 0x20)) == LENGTH[k]) {
          k++;
        }
        if (k == LENGTH.length) {
          int length = 0;
          for (int d = i + k; d < head.length && head[d] >= '0' && head[d] <= '9'; d++) {
            length = 10 * length + head[d] - '0';
          }
          return length;
        }
      }
      return 0;
    }

    @Override
    void ended(IOException cause) {
      failure = cause != null ? cause : new EOFException("the server closed the connection");
    }
  }
}
