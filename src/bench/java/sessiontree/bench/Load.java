package sessiontree.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * A load of whole sessions, a few at a time, each on a connection of its own: SESSION_START,
 * messages of events, SESSION_END, COMPLETE. If one session fails, the load fails.
 */
final class Load {
  private static final Duration LIMIT = Duration.ofMinutes(5);

  private final Frames frames;
  private final int messages;
  private final int sessions;
  private final int connections;
  private final boolean awaited;

  // State of the current run.
  private Loop loop;
  private int port;
  private String prefix;
  private Runnable beforeEnd;
  private int begun;
  private int ended;
  private IOException failure;
  private long[] latencies;
  private int measured;
  private long[] completions;
  private int completed;

  /**
   * @param frames the messages of events
   * @param messages number of messages of events in a session
   * @param sessions total number of sessions
   * @param connections number of connections at a time
   * @param awaited whether each message is sent only once the one before is acknowledged
   */
  Load(Frames frames, int messages, int sessions, int connections, boolean awaited) {
    this.frames = frames;
    this.messages = messages;
    this.sessions = sessions;
    this.connections = Math.min(connections, sessions);
    this.awaited = awaited;
  }

  /**
   * Result of a run.
   *
   * @param nanos time from the first connection to the end of the last one
   * @param latencies nanoseconds from sending a message to reading its ack; empty unless awaited
   * @param completions nanoseconds from sending SESSION_END to reading COMPLETE
   */
  record Result(long nanos, long[] latencies, long[] completions) {}

  Result run(int port, String prefix) throws IOException {
    return run(port, prefix, null);
  }

  /**
   * Runs all sessions.
   *
   * @param prefix prefix of the session ids
   * @param beforeEnd called when a session's messages are acknowledged, before its SESSION_END is
   *     sent; null to send SESSION_END without waiting
   */
  Result run(int port, String prefix, Runnable beforeEnd) throws IOException {
    this.port = port;
    this.prefix = prefix;
    this.beforeEnd = beforeEnd;
    begun = ended = measured = completed = 0;
    failure = null;
    latencies = new long[awaited ? sessions * messages : 0];
    completions = new long[sessions];
    long began = System.nanoTime();
    try (Loop opened = Loop.open()) {
      loop = opened;
      for (int i = 0; i < connections; i++) {
        begin();
      }
      loop.runUntil(() -> ended == sessions || failure != null, LIMIT);
    }
    if (failure != null) {
      throw failure;
    }
    return new Result(System.nanoTime() - began, latencies, completions);
  }

  private void begin() throws IOException {
    if (begun < sessions) {
      new Session(prefix + begun++);
    }
  }

  private final class Session extends Stream {
    private final String id;
    private int sent; // number of frames, SESSION_START included
    private long acked;
    private boolean mayEnd = beforeEnd == null;
    private long sentNanos;

    Session(String id) throws IOException {
      super(loop, port, id);
      this.id = id;
    }

    @Override
    ByteBuffer frame() {
      if (sent > messages + 1 || (awaited && acked < sent) || (sent == messages + 1 && !mayEnd)) {
        return null;
      }
      int message = sent++;
      sentNanos = System.nanoTime();
      return message == 0
          ? Frames.start(id)
          : message <= messages ? frames.events(message - 1) : Frames.end(id);
    }

    @Override
    void acked(long count) throws IOException {
      acked = count;
      if (awaited) {
        if (count > 1 && count <= messages + 1) {
          latencies[measured++] = System.nanoTime() - sentNanos;
        }
        wake();
      }
      if (count == messages + 1 && !mayEnd) {
        beforeEnd.run();
        mayEnd = true;
        wake();
      }
    }

    @Override
    void completed() {
      completions[completed++] = System.nanoTime() - sentNanos;
    }

    @Override
    void done(IOException cause) {
      ended++;
      if (cause != null) {
        failure = new IOException("session " + id + ": " + cause.getMessage(), cause);
        return;
      }
      try {
        begin();
      } catch (IOException e) {
        failure = e;
      }
    }
  }
}
