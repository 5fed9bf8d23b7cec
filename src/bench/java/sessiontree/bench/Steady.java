package sessiontree.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Many connections that stay open and send in turn, each a message every {@link #PERIOD_SECONDS}.
 * Latency counts from the time at which a message was due, so that a stalled load hides nothing.
 */
final class Steady implements AutoCloseable {
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

  /** Seconds between two messages of a connection, as of a browser that does not batch events. */
  static final int PERIOD_SECONDS = 5;

  private static final Duration LIMIT = Duration.ofMinutes(2);

  /** Maximum number of concurrent handshakes, which is less than a server's backlog. */
  private static final int OPENING = 32;

  private final Loop loop = Loop.open();
  private final int port;
  private final String prefix;
  private final boolean starts;
  private final Connection[] connections;
  private int begun;
  private int opened;
  private int ackedStarts;
  private IOException failure;

  private Frames frames;
  private long beganNanos;
  private long acked;
  private int[] micros = new int[0]; // latency of each ack
  private long maxLateNanos;

  private Steady(int port, String prefix, int connections, boolean starts) throws IOException {
    this.port = port;
    this.prefix = prefix;
    this.starts = starts;
    this.connections = new Connection[connections];
  }

  /**
   * Opens connections.
   *
   * @param starts whether each connection begins its session; otherwise it sends nothing
   */
  static Steady open(int port, String prefix, int connections, boolean starts) throws IOException {
    Steady steady = new Steady(port, prefix, connections, starts);
    try {
      for (int i = 0; i < Math.min(OPENING, connections); i++) {
        steady.begin();
      }
      steady.await(
          () -> steady.opened == connections && (!starts || steady.ackedStarts == connections));
      return steady;
    } catch (IOException e) {
      steady.close();
      throw e;
    }
  }

  /**
   * Result of a run.
   *
   * @param micros microseconds from when each message was due until its ack, sorted
   * @param maxLateMillis the longest time from when a message was due until it was sent
   */
  record Result(double seconds, int[] micros, double maxLateMillis) {
    double millis(double quantile) {
      return micros[(int) (quantile * (micros.length - 1))] / 1e3;
    }
  }

  /** Sends messages on each connection for {@code seconds}, and waits for their acks. */
  Result run(Frames frames, int seconds) throws IOException {
    this.frames = frames;
    long messages = Math.max(1, (long) connections.length * seconds / PERIOD_SECONDS);
    micros = new int[Math.toIntExact(messages)];
    acked = maxLateNanos = 0;
    for (Connection connection : connections) {
      connection.timed = 0;
    }
    beganNanos = System.nanoTime();
    for (long sent = 0; sent < messages && failure == null; ) {
      long now = System.nanoTime();
      for (; sent < messages && due(sent) <= now; sent++) {
        maxLateNanos = Math.max(maxLateNanos, System.nanoTime() - due(sent));
        connections[(int) (sent % connections.length)].send();
      }
      loop.turn(1);
    }
    await(() -> acked == messages);
    double took = (System.nanoTime() - beganNanos) / 1e9;
    Arrays.sort(micros);
    return new Result(took, micros, maxLateNanos / 1e6);
  }

  /** Serves the sockets for {@code time}. */
  void rest(Duration time) throws IOException {
    loop.runTo(System.nanoTime() + time.toNanos());
  }

  private long due(long message) {
    return beganNanos + (long) ((double) message / connections.length * PERIOD_SECONDS * SECOND);
  }

  private void await(BooleanSupplier done) throws IOException {
    loop.runUntil(() -> failure != null || done.getAsBoolean(), LIMIT);
    if (failure != null) {
      throw failure;
    }
  }

  private void begin() throws IOException {
    if (begun < connections.length) {
      connections[begun] = new Connection(begun);
      begun++;
    }
  }

  @Override
  public void close() throws IOException {
    loop.close();
  }

  private final class Connection extends Stream {
    private final int number;
    private boolean started = !starts;
    private int toSend;
    private int sent;
    private long responses;
    private int timed; // messages of this run whose latency was recorded

    Connection(int number) throws IOException {
      super(loop, port, prefix + number);
      this.number = number;
    }

    void send() throws IOException {
      toSend++;
      wake();
    }

    @Override
    void opened() throws IOException {
      opened++;
      begin();
    }

    @Override
    ByteBuffer frame() {
      if (!started) {
        started = true;
        return Frames.start(prefix + number);
      }
      return toSend-- > 0 ? frames.events(sent++) : none();
    }

    private ByteBuffer none() {
      toSend = 0;
      return null;
    }

    @Override
    void acked(long count) {
      if (responses == 0) {
        ackedStarts++;
        responses = 1;
      }
      long now = System.nanoTime();
      for (; responses < count; responses++) {
        long due = due((long) timed++ * connections.length + number);
        micros[(int) acked++] = (int) ((now - due) / 1000);
      }
    }

    @Override
    void done(IOException cause) {
      failure =
          cause != null
              ? cause
              : new IOException("connection closed: session completed during the run");
    }
  }
}
