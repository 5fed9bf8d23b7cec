package sessiontree.bench;

import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.pathmap.UriTemplatePathSpec;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.eclipse.jetty.websocket.core.server.WebSocketUpgradeHandler;

/**
 * A server that receives messages, drops them, and sends an ACK for each: it shows what the
 * framework costs before anything is done. It ends a session as sessiontree does. Run it as {@code
 * Sink PORT frames|messages}: {@code frames} takes Jetty's frames as the bytes that were read,
 * which is the cheapest way in Javalin; {@code messages} is Javalin's own WebSocket with {@code
 * ctx.message()}.
 */
final class Sink implements FrameHandler {
  private static final String PATH = "/sessions/{id}/stream";
  private static final String ACK = "{\"type\":\"ACK\"}";
  private static final String COMPLETE = "{\"type\":\"COMPLETE\"}";
  private static final String END = "\"SESSION_END\"";
  private static final int MAX_MESSAGE_BYTES = 16 << 20;
  private static final int INPUT_BUFFER_BYTES = 64 << 10;

  /** Maximum size of a message that may hold SESSION_END, which the loads send alone. */
  private static final int MAX_END_BYTES = 256;

  private static final ByteBuffer ACK_BYTES = ascii(ACK);
  private static final ByteBuffer COMPLETE_BYTES = ascii(COMPLETE);

  private final byte[] beginning = new byte[MAX_END_BYTES]; // of the message being received
  private long received; // bytes of this message
  private CoreSession session;

  public static void main(String[] args) {
    boolean frames =
        switch (args[1]) {
          case "frames" -> true;
          case "messages" -> false;
          default -> throw new IllegalArgumentException("frames or messages; got " + args[1]);
        };
    Javalin.create(
            config -> {
              config.startup.showJavalinBanner = false;
              config.routes.get("/health", ctx -> ctx.result("up"));
              if (frames) {
                takeFrames(config);
              } else {
                takeMessages(config);
              }
            })
        .start("127.0.0.1", Integer.parseInt(args[0]));
  }

  private static void takeFrames(JavalinConfig config) {
    WebSocketUpgradeHandler upgrades = new WebSocketUpgradeHandler();
    upgrades.setHandler((Handler) null); // the default one responds 404 to what is no upgrade
    upgrades.getConfiguration().setAutoFragment(true);
    upgrades.getConfiguration().setMaxFrameSize(MAX_MESSAGE_BYTES);
    upgrades.getConfiguration().setInputBufferSize(INPUT_BUFFER_BYTES);
    WebSocketNegotiator negotiator = (request, response, callback) -> new Sink();
    upgrades.addMapping(new UriTemplatePathSpec(PATH), negotiator);
    config.jetty.modifyServer(server -> server.insertHandler(upgrades));
  }

  private static void takeMessages(JavalinConfig config) {
    config.jetty.modifyWebSocketServletFactory(
        factory -> factory.setMaxTextMessageSize(MAX_MESSAGE_BYTES));
    config.routes.ws(
        PATH,
        webSocket ->
            webSocket.onMessage(
                ctx -> {
                  String message = ctx.message();
                  ctx.send(ACK);
                  if (message.length() <= MAX_END_BYTES && message.contains(END)) {
                    ctx.send(COMPLETE);
                    ctx.closeSession(1000, "");
                  }
                }));
  }

  private static ByteBuffer ascii(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }

  @Override
  public void onOpen(CoreSession opened, Callback callback) {
    session = opened;
    callback.succeeded();
    session.demand();
  }

  /** A frame may come in parts, however small it is; the last part has {@code fin}. */
  @Override
  public void onFrame(Frame frame, Callback callback) {
    if (frame.isDataFrame()) {
      ByteBuffer part = frame.getPayload().slice();
      int kept = (int) Math.min(received, MAX_END_BYTES);
      received += part.remaining();
      part.get(beginning, kept, Math.min(part.remaining(), MAX_END_BYTES - kept));
      if (frame.isFin()) {
        reply();
        received = 0;
      }
    }
    callback.succeeded();
    session.demand();
  }

  private void reply() {
    session.sendFrame(new Frame(OpCode.TEXT, ACK_BYTES.slice()), Callback.NOOP, false);
    if (received <= MAX_END_BYTES
        && new String(beginning, 0, (int) received, StandardCharsets.US_ASCII).contains(END)) {
      session.sendFrame(new Frame(OpCode.TEXT, COMPLETE_BYTES.slice()), Callback.NOOP, false);
      session.close(1000, "", Callback.NOOP);
    }
  }

  @Override
  public void onError(Throwable cause, Callback callback) {
    callback.succeeded();
  }

  @Override
  public void onClosed(CloseStatus status, Callback callback) {
    callback.succeeded();
  }
}
