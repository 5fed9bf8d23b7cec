package sessiontree.store;

import java.nio.ByteBuffer;

/** A tree in memory, which need not be closed. Nobody writes into its array. */
public record MemoryTree(byte[] json, String tag) implements Tree {
  @Override
  public long bytes() {
    return json.length;
  }

  @Override
  public int read(ByteBuffer target, long position) {
    int length = (int) Math.min(target.remaining(), json.length - position);
    target.put(json, (int) position, length);
    return length;
  }

  @Override
  public void close() {}
}
