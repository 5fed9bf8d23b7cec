package sessiontree.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingNestedCallback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.MemoryTree;
import sessiontree.store.Tree;

/**
 * Sends a tree of any length in parts. A pool thread reads, and compresses, the next part when the
 * previous one is written. No thread waits for the client, and a slow client holds one part.
 */
final class TreeSender extends IteratingNestedCallback {
  private static final Logger LOG = LoggerFactory.getLogger(TreeSender.class);

  /** Size of a part before compression. */
  private static final int PART_BYTES = 16 << 10;

  private final Tree tree;
  private final long bytes;
  private final Request request;
  private final Response response;
  private final Gzip gzip;
  private long position; // offset of the next part in the tree
  private RetainableByteBuffer buffer; // the current part; null for a tree in memory

  private TreeSender(Tree tree, boolean gzip, Response response, Callback callback) {
    super(callback);
    this.tree = tree;
    this.bytes = tree.bytes();
    this.request = response.getRequest();
    this.response = response;
    this.gzip = gzip ? new Gzip() : null;
  }

  /** Sends the tree and closes it. The caller has set the headers. */
  static void send(Tree tree, boolean gzip, Response response, Callback callback) {
    new TreeSender(tree, gzip, response, callback).iterate();
  }

  @Override
  protected Action process() throws IOException {
    if (position == bytes) {
      return Action.SUCCEEDED;
    }
    ByteBuffer part = read((int) Math.min(PART_BYTES, bytes - position));
    position += part.remaining();
    boolean last = position == bytes;
    if (gzip != null) {
      part = gzip.compressed(part, last);
      releaseBuffer();
    }
    response.write(last, part, this);
    return Action.SCHEDULED;
  }

  private ByteBuffer read(int length) throws IOException {
    if (tree instanceof MemoryTree memory) {
      return ByteBuffer.wrap(memory.json(), (int) position, length);
    }
    buffer = request.getComponents().getByteBufferPool().acquire(length, gzip == null);
    ByteBuffer part = buffer.getByteBuffer();
    part.clear().limit(length);
    tree.read(part, position);
    if (part.hasRemaining()) {
      throw new IOException("the tree ends before byte " + bytes);
    }
    return part.flip();
  }

  /** Blocking, as the next part may have to be read from the disk. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  @Override
  protected void onSuccess() {
    releaseBuffer();
  }

  @Override
  protected void onCompleteSuccess() {
    closeTree();
    super.onCompleteSuccess();
  }

  @Override
  protected void onFailure(Throwable cause) {
    releaseBuffer();
    closeTree();
    super.onFailure(cause);
  }

  private void releaseBuffer() {
    if (buffer != null) {
      buffer.release();
      buffer = null;
    }
  }

  private void closeTree() {
    try {
      tree.close();
    } catch (IOException e) { // harmless: it was only read
      LOG.debug("a tree cannot be closed", e);
    }
  }
}
