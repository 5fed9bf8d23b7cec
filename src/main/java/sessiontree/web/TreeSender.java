package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
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
 * Sends a tree of any length part by part: the next is read, and compressed, when the one before is
 * written, and when there is room for it beside those of other trees. No thread waits for the
 * client.
 */
final class TreeSender extends IteratingNestedCallback implements Outflow.Sender {
  private static final Logger LOG = LoggerFactory.getLogger(TreeSender.class);

  /** So much is sent in one. */
  static final int PART_BYTES = 64 << 10;

  /** So much when there is little room. */
  private static final int SMALL_PART_BYTES = 8 << 10;

  /** What a part takes besides its bytes: Jetty's buffer for the answer's head. */
  static final int OVERHEAD_BYTES = 8 << 10;

  private final Outflow outflow;
  private final Tree tree;
  private final long bytes;
  private final Request request;
  private final Response response;
  private final Gzip gzip;
  private long position; // of the next part
  private int length; // likewise; 0 if it is not settled
  private RetainableByteBuffer buffer; // what is being written, if that is not in memory anyway

  private TreeSender(
      Outflow outflow, Tree tree, boolean gzip, Response response, Callback callback) {
    super(callback);
    this.outflow = outflow;
    this.tree = tree;
    this.bytes = tree.bytes();
    this.request = response.getRequest();
    this.response = response;
    this.gzip = gzip ? new Gzip() : null;
    this.length = nextLength();
  }

  /** What the first part of a tree may take. */
  static long heldBytes(long treeBytes) {
    return Math.min(PART_BYTES, treeBytes) + OVERHEAD_BYTES;
  }

  /**
   * Sends the tree, and closes it. The headers are set.
   *
   * @param before who has entered, and leaves its place to the sender
   */
  static void send(
      Outflow outflow,
      Outflow.Sender before,
      Tree tree,
      boolean gzip,
      Response response,
      Callback callback) {
    TreeSender sender = new TreeSender(outflow, tree, gzip, response, callback);
    outflow.handOver(before, sender, heldBytes(sender.length));
    sender.iterate();
  }

  @Override
  protected Action process() throws IOException {
    if (position == bytes) {
      return Action.SUCCEEDED;
    }
    if (length == 0) {
      length = nextLength();
    }
    if (!outflow.enter(this, heldBytes(length))) {
      return Action.IDLE;
    }
    ByteBuffer part = read();
    position += length;
    length = 0;
    boolean last = position == bytes;
    if (gzip != null) {
      part = gzip.compressed(part, last);
      letGoOfBuffer();
    }
    response.write(last, part, this);
    return Action.SCHEDULED;
  }

  private int nextLength() {
    boolean small = outflow.isHalfFull() && !(tree instanceof MemoryTree);
    return (int) Math.min(small ? SMALL_PART_BYTES : PART_BYTES, bytes - position);
  }

  private ByteBuffer read() throws IOException {
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
  public void admit() {
    request.getComponents().getExecutor().execute(this::iterate);
  }

  @Override
  public void drop() {
    request.getConnectionMetaData().getConnection().getEndPoint().close();
  }

  @Override
  protected void onSuccess() {
    letGoOfBuffer();
    outflow.leave(this);
  }

  @Override
  protected void onCompleteSuccess() {
    closeTree();
    super.onCompleteSuccess();
  }

  @Override
  protected void onFailure(Throwable cause) {
    letGoOfBuffer();
    outflow.leave(this);
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

  /**
   * Compresses a stream (RFC 1952) part by part, each for itself, so that between two nothing but a
   * checksum is in memory. Speed first: the rest gains a few percent.
   */
  private static final class Gzip {
    private static final byte[] HEAD = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 0xff};
    private static final int TRAILER_BYTES = 8;

    private final CRC32 crc = new CRC32();
    private long size;

    ByteBuffer compressed(ByteBuffer part, boolean last) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      if (size == 0) {
        bytes.writeBytes(HEAD);
      }
      int from = part.arrayOffset() + part.position();
      crc.update(part.array(), from, part.remaining());
      size += part.remaining();
      Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
      try {
        DeflaterOutputStream out = new DeflaterOutputStream(bytes, deflater, 8 << 10, true);
        out.write(part.array(), from, part.remaining());
        if (last) {
          out.finish();
          ByteBuffer trailer = ByteBuffer.allocate(TRAILER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          trailer.putInt((int) crc.getValue()).putInt((int) size); // modulo 2^32
          bytes.writeBytes(trailer.array());
        } else {
          out.flush(); // to a whole byte
        }
      } finally {
        deflater.end();
      }
      return ByteBuffer.wrap(bytes.toByteArray());
    }
  }
}
