package sessiontree.web;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.start;

import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import sessiontree.event.Batch;
import sessiontree.metrics.Metrics;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.Append;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;

/** How messages become appends, and results become frames, while the store takes its time. */
class StreamConnectionTest {
  private static final Pattern NAME = Pattern.compile("<[0-9]+>");

  private final Queue<Append> appends = new ArrayDeque<>();
  private final List<Append.Callback> unflushed = new ArrayList<>();
  private final List<String> sent = new ArrayList<>();
  private Metrics metrics;
  private Runnable onAppend = () -> {};
  private Streams streams;
  private StreamConnection connection;

  @BeforeEach
  void open() {
    appends.clear();
    sent.clear();
    metrics = new Metrics();
    Sessions sessions = new Sessions(store(), Integer.MAX_VALUE, metrics);
    streams = new Streams(sessions, 1 << 20, 1 << 20, new RunningClock(() -> 0), metrics);
    connection = new StreamConnection(streams, "s", null);
    connection.onOpen(
        new CoreSession.Empty() {
          @Override
          public void sendFrame(OutgoingEntry entry) {
            sent.add(UTF_8.decode(entry.getFrame().getPayload()).toString());
            entry.getCallback().succeeded();
          }
        },
        Callback.NOOP);
    assertThat(sent.remove(0)).contains("OPEN");
  }

  /** A store that keeps nothing, and whose results are the test's. */
  private SessionStore store() {
    Object stored =
        Proxy.newProxyInstance(
            SessionStore.class.getClassLoader(),
            new Class<?>[] {SessionStore.StoredSession.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "state", "resume" -> SessionState.NEW;
                  case "shared" -> false;
                  case "writers" -> 0;
                  case "lastNumber" -> 0L;
                  case "append" -> {
                    appends.add((Append) arguments[0]);
                    onAppend.run();
                    yield null;
                  }
                  default -> throw new AssertionError(method);
                });
    return (SessionStore)
        Proxy.newProxyInstance(
            SessionStore.class.getClassLoader(),
            new Class<?>[] {SessionStore.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "open" -> stored;
                  case "openSessions" -> 0;
                  default -> throw new AssertionError(method);
                });
  }

  private void receive(String entry) {
    ByteBuffer message = ByteBuffer.wrap(("[" + entry + "]").getBytes(UTF_8));
    connection.onFrame(new Frame(OpCode.TEXT, message), Callback.NOOP);
  }

  private void store(Append append) {
    append.callback().stored();
    unflushed.add(append.callback());
  }

  private void flush() {
    unflushed.forEach(Append.Callback::flush);
    unflushed.clear();
  }

  @Test
  void end_isAcknowledgedByCompleteAlone_whateverIsWrittenBeforeIt() throws Exception {
    streams
        .sessions()
        .acquire("s")
        .watch(
            new Session.Watcher() {
              @Override
              public void stored(long before, Batch batch) { // between the result and COMPLETE
                connection.onFrame(new Frame(OpCode.PING), Callback.NOOP);
              }

              @Override
              public void completed(long entries) {}

              @Override
              public void deleted() {}
            });
    receive(start(1) + "," + event(2, "a") + "," + end(3));
    store(appends.remove());
    flush();
    assertThat(sent).element(0).isEqualTo("");
    assertThat(sent).element(1).asString().contains("COMPLETE", "\"messages\":1");
  }

  @Test
  void messageThatIsBegun_isDroppedAfterAMinute_evenIfNoByteOfItHasCome() {
    for (int seconds = 0; seconds <= 60; seconds += 20) {
      Frame part = new Frame(seconds == 0 ? OpCode.TEXT : OpCode.CONTINUATION).setFin(false);
      connection.onFrame(part, Callback.NOOP);
      streams.tick(TimeUnit.SECONDS.toNanos(seconds));
      assertThat(dropped()).isZero();
    }
    streams.tick(TimeUnit.SECONDS.toNanos(61));
    assertThat(dropped()).isOne();
  }

  @Test
  void memoryOfAMessage_isCountedWhileItIsHandled_althoughTheConnectionIsClosedMeanwhile() {
    List<Long> freed = new ArrayList<>();
    onAppend =
        () -> {
          long before = streams.inFlight().bytes();
          connection.onClosed(CloseStatus.NO_CLOSE_STATUS, Callback.NOOP);
          freed.add(before - streams.inFlight().bytes());
        };
    ByteBuffer message = ByteBuffer.wrap(("[" + start(1) + "]").getBytes(UTF_8));
    ByteBuffer first = message.slice(0, 10);
    connection.onFrame(new Frame(OpCode.TEXT, first).setFin(false), Callback.NOOP);
    connection.onFrame(new Frame(OpCode.CONTINUATION, message.position(10)), Callback.NOOP);
    store(appends.remove());
    flush();
    assertThat(freed).containsExactly(0L);
    assertThat(streams.inFlight().bytes()).isZero();
  }

  private double dropped() {
    return metrics.connectionsDropped.labelValues("slow_message").get();
  }

  @Test
  void bytes_areFreed_whenTheLastMessageOfASubmissionHasItsResult() {
    receive(start(1));
    receive(event(2, "a"));
    receive("no JSON");
    receive(event(3, "b"));
    store(appends.remove());
    flush();
    assertThat(sent).last().asString().contains("\"ACK\",\"messages\":1");
    long held = streams.inFlight().bytes();

    store(appends.remove());
    store(appends.remove()); // the refusal; the last message is still being stored
    flush();
    assertThat(streams.inFlight().bytes()).isEqualTo(held).isPositive();
    store(appends.remove());
    flush();
    assertThat(streams.inFlight().bytes()).isZero();
    assertThat(String.join("\n", sent)).contains("\"ERROR\",\"message\":3");
    assertThat(sent).last().asString().contains("\"ACK\",\"messages\":4");
  }

  @Test
  void everyMessage_isStoredOnce_inOrder_andHasAResult_whateverComesBetween() {
    for (int seed = 0; seed < 300; seed++) {
      open();
      Random random = new Random(seed);
      receive(start(1));
      int count = random.nextInt(60);
      int received = 0;
      List<String> names = new ArrayList<>();
      List<String> stored = new ArrayList<>();
      while (received < count || !appends.isEmpty()) {
        if (received < count && (appends.isEmpty() || random.nextInt(3) > 0)) {
          String name = "<" + ++received + ">" + "x".repeat(random.nextInt(10) == 0 ? 20_000 : 9);
          boolean refused = random.nextInt(8) == 0;
          receive(refused ? "no JSON" : event(2, name));
          names.addAll(refused ? List.of() : List.of("<" + received + ">"));
        } else {
          Append next = appends.remove();
          if (next.batch() != null) {
            NAME.matcher(new String(next.batch().children(), UTF_8))
                .results()
                .forEach(name -> stored.add(name.group()));
          }
          store(next);
          if (appends.isEmpty() || random.nextBoolean()) {
            flush();
          }
        }
      }
      assertThat(stored).as("seed %d", seed).isEqualTo(names);
      assertThat(streams.inFlight().bytes()).as("seed %d", seed).isZero();
      assertThat(sent.stream().filter(frame -> frame.contains("ERROR")))
          .as("seed %d", seed)
          .hasSize(count - names.size());
    }
  }
}
