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
  void tree_behindAnother_isWrittenAsTheFirstWas() {
    String first = tree(TREE);
    assertThat(first)
        .isEqualTo(
            "event: entry\ndata: {\"name\":\"a\"}\n\nevent: entry\ndata: {\"name\":\"b\"}\nid: 2\n\n");
    assertThat(tree(TREE)).isEqualTo(first);
  }
}
