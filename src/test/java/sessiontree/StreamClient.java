package sessiontree;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import okio.ByteString;

/** A stream into a session, over a WebSocket client that is independent of the server. */
final class StreamClient implements StreamReplies, AutoCloseable {
  private static final long DEADLINE_SECONDS = 60;
  private static final OkHttpClient HTTP = new OkHttpClient();
  private static final ObjectMapper JSON = new ObjectMapper();

  private final BlockingQueue<Object> received = new LinkedBlockingQueue<>();
  private final CompletableFuture<Void> opened = new CompletableFuture<>();
  private WebSocket socket;

  private record Closed(int code) {}

  private record Failed(Throwable cause) {}

  private StreamClient() {}

  static StreamClient connect(int port, String id) throws IOException, InterruptedException {
    return connectTo("http://127.0.0.1:" + port + "/sessions/" + id + "/stream");
  }

  static StreamClient connect(int port, String id, String writer)
      throws IOException, InterruptedException {
    return connectTo("http://127.0.0.1:" + port + "/sessions/" + id + "/stream?writer=" + writer);
  }

  private static StreamClient connectTo(String url) throws IOException, InterruptedException {
    return connect(HTTP, new Request.Builder().url(url).build());
  }

  /** Connects with the given client and the headers of the request. */
  static StreamClient connect(OkHttpClient http, Request request)
      throws IOException, InterruptedException {
    StreamClient client = new StreamClient();
    client.socket = http.newWebSocket(request, client.new Listener());
    try {
      client.opened.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
      return client;
    } catch (ExecutionException | TimeoutException e) {
      client.close();
      throw new IOException("no stream at " + request.url(), e);
    }
  }

  private final class Listener extends WebSocketListener {
    @Override
    public void onOpen(WebSocket webSocket, Response response) {
      opened.complete(null);
    }

    @Override
    public void onMessage(WebSocket webSocket, String text) {
      received.add(text);
    }

    @Override
    public void onClosing(WebSocket webSocket, int code, String reason) {
      received.add(new Closed(code));
      webSocket.close(1000, null);
    }

    @Override
    public void onFailure(WebSocket webSocket, Throwable cause, Response response) {
      received.add(new Failed(cause));
      opened.completeExceptionally(cause);
    }
  }

  void send(String message) {
    socket.send(message);
  }

  void sendBinary(byte[] message) {
    socket.send(ByteString.of(message));
  }

  void sendBinary(String message) {
    sendBinary(message.getBytes(StandardCharsets.UTF_8));
  }

  /** Sends the messages that are still queued, then a close frame. */
  void closeInOrder() {
    socket.close(1000, null);
  }

  @Override
  public JsonNode next() throws IOException, InterruptedException {
    Object next = take();
    if (next instanceof String text) {
      return JSON.readTree(text);
    }
    received.add(next); // nothing follows it, so further calls must find it again
    throw new IOException("the stream has ended: " + next);
  }

  /** Returns the code of the close frame, which must be the next thing received. */
  int closeCode() throws InterruptedException {
    Object next = take();
    if (next instanceof Closed closed) {
      return closed.code();
    }
    throw new AssertionError("expected a close, got " + next);
  }

  private Object take() throws InterruptedException {
    Object next = received.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
    if (next == null) {
      throw new AssertionError("no message from the server within 30 s");
    }
    return next;
  }

  /** Drops the connection if it is still open. */
  @Override
  public void close() {
    socket.cancel();
  }
}
