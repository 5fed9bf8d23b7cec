package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.Append;
import sessiontree.store.MemoryStore;
import sessiontree.store.RecordedResult;
import sessiontree.store.SessionStore;
import sessiontree.store.SessionStore.StoredSession;
import sessiontree.web.Jwts;
import sessiontree.web.Server;
import sessiontree.web.Settings;

/** What clients learn when it is not known whether a message is stored. */
class UnknownIT {
  private final MemoryStore store = MemoryStore.create();
  private volatile boolean doubtful;
  private Server server;

  @BeforeEach
  void startServer() {
    Settings.Access all =
        new Settings.Access(
            List.of(), List.of(), List.of(), Jwts.of(List.of()), List.of(), List.of());
    SessionStore shared = over(SessionStore.class, store);
    Metrics metrics = new Metrics();
    server =
        Server.start(
            shared,
            new Sessions(shared, Integer.MAX_VALUE, metrics),
            new Settings("127.0.0.1", 0, 1 << 20, 1 << 20, 100, Duration.ofSeconds(10), all),
            metrics);
  }

  @AfterEach
  void stopServer() throws Exception {
    server.close();
    store.close();
  }

  /** Wraps the store, or a session of it, to look like a store that several servers share. */
  private <T> T over(Class<T> type, T target) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              if (method.getName().equals("shared")) {
                return true;
              }
              if (doubtful && arguments != null && arguments[0] instanceof Append append) {
                append((StoredSession) target, append);
                return null;
              }
              try {
                Object result = method.invoke(target, arguments);
                return result instanceof StoredSession session
                    ? over(StoredSession.class, session)
                    : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }

  /** Stores the message, but reports that the result is unknown. */
  private void append(StoredSession session, Append append) {
    doubtful = false;
    session.append(
        new Append(
            append.kind(),
            append.expected(),
            append.batch(),
            append.keepsStart(),
            append.writer(),
            append.number(),
            new RecordedResult()));
    append.callback().unknown();
    append.callback().flush();
  }

  @Test
  void stream_isClosedWith1011_andTheNextOpenCountsTheMessage() throws Exception {
    try (StreamClient client = StreamClient.connect(server.port(), "s", "w")) {
      client.next();
      client.send(message(start("s")));
      assertThat(client.next().path("messages").asInt()).isEqualTo(1);
      doubtful = true;
      client.send(message(event("1569972083", "x")));
      assertThat(client.closeCode()).isEqualTo(1011);
    }
    try (StreamClient client = StreamClient.connect(server.port(), "s", "w")) {
      assertThat(client.next().path("messages").asInt()).isEqualTo(2);
    }
  }

  @Test
  void post_isUnavailable_withADetailThatSaysSo_andMaySafelyBeSentAgain() throws Exception {
    doubtful = true;
    RawHttp unknown = post(1, message(start("s")));
    assertThat(unknown.status()).isEqualTo(503);
    assertThat(unknown.body()).contains("storage_unavailable", "not known whether");
    RawHttp again = post(1, message(start("s")));
    assertThat(again.status()).isEqualTo(200);
    assertThat(again.body()).contains("\"entries\":1");
  }

  private RawHttp post(int number, String message) throws Exception {
    return RawHttp.post(server.port(), "/sessions/s/events?writer=w&message=" + number, message);
  }
}
