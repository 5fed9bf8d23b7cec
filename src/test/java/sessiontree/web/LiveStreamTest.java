package sessiontree.web;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.eclipse.jetty.io.ByteArrayEndPoint;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.Components;
import org.eclipse.jetty.server.ConnectionMetaData;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.junit.jupiter.api.Test;
import sessiontree.metrics.Metrics;
import sessiontree.session.Reply;
import sessiontree.session.Sessions;
import sessiontree.sort.Cursor;
import sessiontree.sort.SessionBuffer;
import sessiontree.store.Append;
import sessiontree.store.MemoryTree;
import sessiontree.store.PartialTree;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;

/** A watcher of a store that other servers change, and that forgets the order of children. */
class LiveStreamTest {
  private static final SessionState OPEN = new SessionState(SessionState.Phase.OPEN, 1, 1, 0);
  private static final byte[] TREE =
      "{\"type\":\"SESSION\",\"start\":1,\"open\":true,\"children\":[]}".getBytes(US_ASCII);

  private final Executor direct = Runnable::run;
  private final StringBuilder sent = new StringBuilder();
  private int forgets; // how often the order is not known from now on

  /** Returns an instance whose methods of these names return these values, and others nothing. */
  private static <T> T fake(Class<T> type, Map<String, Object> results) {
    Object fake =
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> results.get(method.getName()));
    return type.cast(fake);
  }

  private Cursor since() {
    return forgets-- > 0 ? null : new SessionBuffer().since(0);
  }

  private SessionStore store() {
    SessionStore.StoredSession stored =
        (SessionStore.StoredSession)
            Proxy.newProxyInstance(
                SessionStore.class.getClassLoader(),
                new Class<?>[] {SessionStore.StoredSession.class},
                (proxy, method, arguments) ->
                    switch (method.getName()) {
                      case "shared" -> true;
                      case "state", "resume" -> OPEN;
                      case "since" -> since();
                      case "writers" -> 0;
                      case "append" -> {
                        ((Append) arguments[0]).callback().stored();
                        yield null;
                      }
                      default -> throw new AssertionError(method);
                    });
    PartialTree partial = new PartialTree(new MemoryTree(TREE, null), 1, 0);
    return fake(
        SessionStore.class,
        Map.of("open", stored, "state", OPEN, "partial", Optional.of(partial), "openSessions", 1));
  }

  private Request request() {
    Connection connection = fake(Connection.class, Map.of("getEndPoint", new ByteArrayEndPoint()));
    return fake(
        Request.class,
        Map.of(
            "getComponents", fake(Components.class, Map.of("getExecutor", direct)),
            "getConnectionMetaData",
                fake(ConnectionMetaData.class, Map.of("getConnection", connection))));
  }

  private Response response() {
    return (Response)
        Proxy.newProxyInstance(
            Response.class.getClassLoader(),
            new Class<?>[] {Response.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("write")) {
                sent.append(US_ASCII.decode((ByteBuffer) arguments[1]));
                ((Callback) arguments[2]).succeeded();
                return null;
              }
              return true; // committed
            });
  }

  private long trees() {
    return sent.toString().split("event: session", -1).length - 1;
  }

  private LiveStream stream() throws Exception {
    return stream(direct);
  }

  private LiveStream stream(Executor snapshots) throws Exception {
    SessionStore store = store();
    Metrics metrics = new Metrics();
    Sessions sessions = new Sessions(store, 1, metrics);
    Live live = new Live(store, sessions, snapshots, new RunningClock(() -> 0), metrics);
    return new LiveStream(live, sessions.acquire("a"), request(), response(), Callback.NOOP);
  }

  @Test
  void tree_isSentAgain_howeverOftenTheOrderIsForgotten_ifTheClientCatchesUpBetween()
      throws Exception {
    LiveStream stream = stream();
    stream.start(-1);
    for (int i = 0; i < 10; i++) {
      forgets = 1;
      stream.missed();
    }
    assertThat(trees()).isEqualTo(11);
  }

  @Test
  void stream_ends_whenTheOrderIsForgottenFasterThanTreesAreSent() throws Exception {
    LiveStream stream = stream();
    forgets = Integer.MAX_VALUE;
    stream.start(-1);
    assertThat(trees()).isEqualTo(4);
  }

  @Test
  void sessionThatIsDeletedBeforeItsTreeIsRead_isReportedAsDeleted_notItsIdsNextOne()
      throws Exception {
    Deque<Runnable> snapshots = new ArrayDeque<>();
    LiveStream stream = stream(snapshots::add);
    stream.start(-1);
    stream.session().delete(null, Reply.NONE);
    snapshots.remove().run();
    assertThat(sent).contains("event: deleted").doesNotContain("event: session");
  }

  @Test
  void clientThatHasAll_getsTheHeadOfTheResponseAtOnce() throws Exception {
    stream().start(1);
    assertThat(sent).isNotEmpty();
  }
}
