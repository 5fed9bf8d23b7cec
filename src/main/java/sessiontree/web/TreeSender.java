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
 * Sends a tree of any length part by part: the next is read, and compressed, by a thread of the
 * pool when the one before is written. No thread waits for the client, and a client that reads
 * slowly holds one part.
 */
final class TreeSender extends IteratingNestedCallback {
  private static final Logger LOG = LoggerFactory.getLogger(TreeSender.class);

  /** Bytes that are sent at once. */
  private static final int PART_BYTES = 16 << 10;

  private final Tree tree;
  private final long bytes;
  private final Request request;
  private final Response response;
  private final Gzip gzip;
  private long position; // of the next part
  private RetainableByteBuffer buffer; // what is being written, if that is not in memory anyway

  private TreeSender(Tree tree, boolean gzip, Response response, Callback callback) {
    super(callback);
    this.tree = tree;
    this.bytes = tree.bytes();
    this.request = response.getRequest();
    this.response = response;
    this.gzip = gzip ? new Gzip() : null;
  }

  /** Sends the tree, and closes it. The headers are set. */
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
      letGoOfBuffer();
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

  /** The next part may have to be read from the disk. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  @Override
  protected void onSuccess() {
    letGoOfBuffer();
  }

  @Override
  protected void onCompleteSuccess() {
    closeTree();
    super.onCompleteSuccess();
  }

  @Override
  protected void onFailure(Throwable cause) {
    letGoOfBuffer();
    closeTree();
    super.onFailure(cause);
  }

  private void letGoOfBuffer() {
    if (buffer != null) {
      buffer.release();
      buffer = null;
    }
  }

  private void closeTree() {
    try {
      tree.close();
    } catch (IOException e) { // all that was wanted of it was read
      LOG.debug("a tree cannot be closed", e);
    }
  }
}
