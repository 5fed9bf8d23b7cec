package sessiontree.web;

import java.util.zip.DataFormatException;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.ExtensionConfig;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.exception.BadPayloadException;
import org.eclipse.jetty.websocket.core.internal.PerMessageDeflateExtension;

/**
 * Jetty's {@code permessage-deflate} (RFC 7692) without a window kept between messages, so that an
 * idle connection holds no zlib memory. Jetty's own way to do this also drops the window at a
 * control frame between two fragments, and then cannot inflate the second.
 *
 * <p>Outgoing messages are sent uncompressed, as an ACK is too short to gain from compression.
 */
public final class MessageCompression extends PerMessageDeflateExtension {
  static final String NAME = "permessage-deflate";

  /** The extension parameters in the handshake response. */
  static final ExtensionConfig NEGOTIATED =
      ExtensionConfig.parse(NAME + ";client_no_context_takeover;server_no_context_takeover");

  @Override
  public void init(ExtensionConfig config, WebSocketComponents components) {
    super.init(ExtensionConfig.parse(NAME), components);
  }

  @Override
  public ExtensionConfig getConfig() {
    return NEGOTIATED;
  }

  @Override
  public void onFrame(Frame frame, Callback callback) {
    super.onFrame(
        frame,
        new Callback.Nested(callback) {
          @Override
          public void failed(Throwable cause) {
            boolean inflates = !(cause.getCause() instanceof DataFormatException);
            super.failed(inflates ? cause : new BadPayloadException("not valid DEFLATE", cause));
          }
        });
  }

  @Override
  protected void nextIncomingFrame(Frame frame, Callback callback) {
    if (frame.isFin() && frame.isDataFrame()) {
      releaseInflater();
    }
    super.nextIncomingFrame(frame, callback);
  }

  @Override
  public void sendFrame(OutgoingEntry entry) {
    nextOutgoingFrame(entry);
  }
}
