package sessiontree.web;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class ChildEventsTest {
  private static final String TREE =
      "{\"type\":\"SESSION\",\"start\":1,\"open\":true,\"children\":[{\"name\":\"a\"},{\"name\":\"b\"}]}";

  private final ChildEvents events = new ChildEvents();

  private String tree(String text) {
    events.beginTree();
    events.tree(ByteBuffer.wrap(text.getBytes(US_ASCII)), 2);
    return US_ASCII.decode(events.take()).toString();
  }

  @Test
  void largeChild_isTakenInPieces_inItsPlace() {
    String large = "2,\"name\":\"" + "x".repeat(50_000) + "\"}";
    String small = "3,\"name\":\"y\"}";
    add(small, 1);
    add(large, 2);
    add(small, 3);
    StringBuilder all = new StringBuilder();
    while (!events.isEmpty()) {
      assertThat(events.isFull()).isEqualTo(all.length() < large.length());
      ByteBuffer part = events.take();
      assertThat(part.remaining()).isLessThanOrEqualTo(16 << 10);
      all.append(US_ASCII.decode(part));
    }
    String begin = "event: entry\ndata: {\"type\":\"EVENT\",\"timestamp\":";
    assertThat(all.toString())
        .isEqualTo(
            begin
                + small
                + "\nid: 1\n\n"
                + begin
                + large
                + "\nid: 2\n\n"
                + begin
                + small
                + "\nid: 3\n\n");
  }

  private void add(String child, long id) {
    byte[] bytes = child.getBytes(US_ASCII);
    events.child(bytes, 0, bytes.length, id);
  }

  @Test
  void tree_behindAnother_isWrittenAsTheFirstWas() {
    String first = tree(TREE);
    assertThat(first)
        .isEqualTo(
            "event: entry\ndata: {\"name\":\"a\"}\n\nevent: entry\ndata: {\"name\":\"b\"}\nid: 2\n\n");
    assertThat(tree(TREE)).isEqualTo(first);
  }
}
