package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/** A client that watches a session as an EventSource does, but does not reconnect. */
final class LiveClient implements Flow.Subscriber<String> {
  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  /** A server-sent event; fields that it lacks are null. */
  record Event(String name, String id, String data) {}

  private final CompletableFuture<HttpResponse<Void>> response;
  private Flow.Subscription subscription;

  // All guarded by this.
  private final List<Event> events = new ArrayList<>();
  private String name;
  private String id;
  private String data;
  private int comments;
  private boolean ended;

  private LiveClient(JarServer server, String session, String lastEventId) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(
            URI.create("http://127.0.0.1:" + server.port() + "/sessions/" + session + "/live"));
    if (lastEventId != null) {
      request.header("Last-Event-ID", lastEventId);
    }
    response = HTTP.sendAsync(request.build(), BodyHandlers.fromLineSubscriber(this));
  }

  static LiveClient watch(JarServer server, String session) {
    return new LiveClient(server, session, null);
  }

  static LiveClient resume(JarServer server, String session, String lastEventId) {
    return new LiveClient(server, session, lastEventId);
  }

  /** Waits until the response has ended, and returns its status and headers. */
  HttpResponse<Void> response() {
    return response.join();
  }

  synchronized List<Event> events() {
    return List.copyOf(events);
  }

  synchronized int comments() {
    return comments;
  }

  /** Waits for {@code count} events, and returns all so far. */
  List<Event> await(int count) throws Exception {
    Await.until(count + " events", () -> events().size() >= count);
    return events();
  }

  /** Waits until the server ends the stream or the connection is cut; returns all events. */
  List<Event> awaitEnd() throws Exception {
    Await.until("the stream has ended", this::hasEnded);
    return events();
  }

  private synchronized boolean hasEnded() {
    return ended;
  }

  private synchronized boolean hasBegun() {
    return subscription != null;
  }

  /** Returns the data of all events with that name. */
  List<String> data(String named) {
    return events().stream().filter(event -> event.name.equals(named)).map(Event::data).toList();
  }

  /** Hangs up, once the response has begun. */
  void close() throws Exception {
    Await.until("the response has begun", this::hasBegun);
    subscription.cancel();
  }

  @Override
  public synchronized void onSubscribe(Flow.Subscription to) {
    subscription = to;
    to.request(Long.MAX_VALUE);
  }

  @Override
  public synchronized void onNext(String line) {
    int colon = line.indexOf(": ");
    if (line.isEmpty()) {
      if (data != null) {
        events.add(new Event(name, id, data));
      }
      name = null;
      id = null;
      data = null;
    } else if (line.startsWith(":")) {
      comments++;
    } else {
      String value = line.substring(colon + 2);
      switch (line.substring(0, colon)) {
        case "event" -> name = value;
        case "id" -> id = value;
        case "data" -> {
          assertThat(data).as("one line of data an event").isNull();
          data = value;
        }
        default -> throw new AssertionError(line);
      }
    }
  }

  @Override
  public synchronized void onError(Throwable failure) {
    ended = true;
  }

  @Override
  public synchronized void onComplete() {
    ended = true;
  }
}
