package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import sessiontree.metrics.Metrics;
import sessiontree.session.Sessions;
import sessiontree.store.MemoryStore;
import sessiontree.store.SessionStore;

class TreeHandlerTest {
  private static final String START =
      "[{\"type\":\"SESSION_START\",\"timestamp\":1,\"session_id\":\"a\"}]";
  private static final String END =
      "[{\"type\":\"SESSION_END\",\"timestamp\":2,\"session_id\":\"a\"}]";

  private final AtomicBoolean ends = new AtomicBoolean();
  private Server server;

  private HttpResponse<String> send(String path, HttpRequest.Builder request)
      throws IOException, InterruptedException {
    URI uri = URI.create("http://127.0.0.1:" + server.port() + "/sessions/a" + path);
    return HttpClient.newHttpClient().send(request.uri(uri).build(), BodyHandlers.ofString());
  }

  private int post(String message) throws IOException, InterruptedException {
    HttpRequest.Builder post = HttpRequest.newBuilder().POST(BodyPublishers.ofString(message));
    return send("/events", post).statusCode();
  }

  /** Returns a store whose session ends right after its state was read, if {@code ends} is set. */
  private SessionStore endingOnceRead(SessionStore store) {
    return (SessionStore)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {SessionStore.class},
            (proxy, method, arguments) -> {
              Object result = method.invoke(store, arguments);
              if (method.getName().equals("state") && ends.getAndSet(false)) {
                assertThat(post(END)).isEqualTo(200);
              }
              return result;
            });
  }

  /** The wait exceeds the deadline, so only the session's end can bring the response in time. */
  @Test
  void getThatBeginsToWait_whileTheSessionCompletes_hasTheTree() throws Exception {
    SessionStore store = endingOnceRead(MemoryStore.create());
    Metrics metrics = new Metrics();
    Settings.Access access =
        new Settings.Access(
            List.of(), List.of(), List.of(), Jwts.of(List.of()), List.of(), List.of());
    Settings settings =
        new Settings("127.0.0.1", 0, 1_000, 65_536, 100, Duration.ofSeconds(30), access);
    server = Server.start(store, new Sessions(store, 10, metrics), settings, metrics);
    try {
      assertThat(post(START)).isEqualTo(200);
      ends.set(true);
      HttpRequest.Builder get = HttpRequest.newBuilder().header("Prefer", "wait=60");
      HttpResponse<String> response = send("", get.timeout(Duration.ofSeconds(30)));
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.body()).contains("\"end\":2");
      assertThat(ends).as("the session ends later").isFalse();
    } finally {
      server.close();
    }
  }
}
