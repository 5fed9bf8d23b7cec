package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import sessiontree.store.Tree;

/** The text of trees. */
public final class TreeText {
  private TreeText() {}

  /** Reads a tree in small parts, closes it, and returns its text. */
  public static String of(Tree tree) throws IOException {
    try (tree) {
      ByteBuffer bytes = ByteBuffer.allocate((int) tree.bytes());
      while (bytes.hasRemaining()) {
        ByteBuffer part = ByteBuffer.allocate(Math.min(bytes.remaining(), 1000));
        assertThat(tree.read(part, bytes.position())).isPositive();
        bytes.put(part.flip());
      }
      assertThat(tree.read(ByteBuffer.allocate(1), tree.bytes())).isZero();
      return new String(bytes.array(), StandardCharsets.UTF_8);
    }
  }
}
