package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingNestedCallback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.Tree;

/**
 * Sends a tree of any length in memory of one buffer: the next part is read, and compressed, when
 * the one before is written. No thread waits for the client.
 */
final class TreeSender extends IteratingNestedCallback {
  private static final Logger LOG = LoggerFactory.getLogger(TreeSender.class);

  /** So much is sent in one. */
  static final int BUFFER_BYTES = 64 << 10;

  private Tree tree; // null when all of it was read: it may take as much memory as the buffer
  private final long bytes;
  private final Response response;
  private final RetainableByteBuffer buffer;
  private final Gzip gzip;
  private long position;

  private TreeSender(Tree tree, boolean gzip, Request request, Response response, Callback callback)
      throws IOException {
    super(callback);
    this.tree = tree;
    this.bytes = tree.bytes();
    this.response = response;
    this.buffer =
        request
            .getComponents()
            .getByteBufferPool()
            .acquire((int) Math.min(BUFFER_BYTES, bytes), !gzip);
    this.gzip = gzip ? new Gzip() : null;
  }

  /** Sends the tree, and closes it. The headers are set. */
  static void send(Tree tree, boolean gzip, Request request, Response response, Callback callback)
      throws IOException {
    new TreeSender(tree, gzip, request, response, callback).iterate();
  }

  @Override
  protected Action process() throws IOException {
    if (position == bytes) {
      return Action.SUCCEEDED;
    }
    ByteBuffer part = buffer.getByteBuffer();
    part.clear().limit((int) Math.min(part.capacity(), bytes - position));
    int read = tree.read(part, position);
    if (read == 0) {
      throw new IOException("the tree ends before byte " + bytes);
    }
    position += read;
    boolean last = position == bytes;
    if (last) {
      tree.close();
      tree = null;
    }
    part.flip();
    response.write(last, gzip == null ? part : gzip.compressed(part, last), this);
    return Action.SCHEDULED;
  }

  /** The next part may have to be read from the disk. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  @Override
  protected void onCompleteSuccess() {
    letGo();
    super.onCompleteSuccess();
  }

  @Override
  protected void onFailure(Throwable cause) {
    letGo();
    super.onFailure(cause);
  }

  private void letGo() {
    buffer.release();
    try {
      if (tree != null) {
        tree.close();
      }
      if (gzip != null) {
        gzip.close();
      }
    } catch (IOException e) { // all that was wanted of them was read
      LOG.debug("a tree cannot be closed", e);
    }
  }

  /** Compresses a stream part by part. Speed first: the rest gains a few percent. */
  private static final class Gzip extends GZIPOutputStream {
    private final ByteArrayOutputStream compressed;

    Gzip() throws IOException {
      this(new ByteArrayOutputStream());
    }

    private Gzip(ByteArrayOutputStream compressed) throws IOException {
      super(compressed, 8 << 10);
      this.compressed = compressed;
      def.setLevel(Deflater.BEST_SPEED);
    }

    ByteBuffer compressed(ByteBuffer part, boolean last) throws IOException {
      write(part.array(), part.arrayOffset() + part.position(), part.remaining());
      if (last) {
        finish();
      }
      ByteBuffer bytes = ByteBuffer.wrap(compressed.toByteArray());
      compressed.reset();
      return bytes;
    }
  }
}
