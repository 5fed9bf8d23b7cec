package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class TreeWriterTest {
  private static final Batch.Bound START =
      new Batch.Bound(1_569_972_082_000_000_000L, "1569972082");
  private static final Batch.Bound END =
      new Batch.Bound(1_569_972_087_250_000_000L, "1569972087.250");
  private static final String HEAD =
      "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972087.250,\"children\":[";

  @Test
  void finish_behindTwoChildren_hasWrittenExactlyTheseBytes() throws Exception {
    String cart = "1569972083,\"name\":\"cart_loaded\"}";
    String menu = "1569972084.5,\"name\":\"menü\",\"items\":[1e400,{}]}";

    assertThat(tree(List.of(cart, menu), 1_000))
        .isEqualTo(
            HEAD
                + "{\"type\":\"EVENT\",\"timestamp\":1569972083,\"name\":\"cart_loaded\"},"
                + "{\"type\":\"EVENT\",\"timestamp\":1569972084.5,\"name\":\"menü\","
                + "\"items\":[1e400,{}]}]}");
  }

  @Test
  void finish_withoutChildren_hasWrittenAnEmptyArray() throws Exception {
    assertThat(tree(List.of(), 0)).isEqualTo(HEAD + "]}");
  }

  @Test
  void finish_ofAnAbandonedSession_saysSoAfterItsEnd() throws Exception {
    var out = new ByteArrayOutputStream();
    new TreeWriter(out, 0, 0, START, END, true).finish();

    assertThat(out.toString(UTF_8))
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972087.250,"
                + "\"abandoned\":true,\"children\":[]}");
  }

  @Test
  void child_ofAnySizeAroundTheBuffers_isWrittenWhole() throws Exception {
    int buffer = 1 << 16;
    for (int length = buffer - HEAD.length() - Child.HEAD.length() - 5;
        length <= buffer + 5;
        length++) {
      for (List<String> children :
          List.of(List.of(text(length)), List.of(text(length), text(1), text(length)))) {
        assertTree(children, Long.MAX_VALUE / 2);
      }
    }
  }

  @Test
  void child_ofManySizes_isWrittenWholeWhateverWasAnnounced() throws Exception {
    for (int seed = 0; seed < 100; seed++) {
      Random random = new Random(seed);
      int limit = new int[] {5, 500, 40_000, 200_000}[random.nextInt(4)];
      List<String> children = new ArrayList<>();
      long bytes = 0;
      for (int i = random.nextInt(20); i >= 0; i--) {
        children.add(text(1 + random.nextInt(limit)));
        bytes += children.get(children.size() - 1).length();
      }
      for (long announced : new long[] {0, 1, bytes - 1, bytes, bytes + 1, 10L << 30}) {
        assertTree(children, announced);
      }
    }
  }

  private static void assertTree(List<String> children, long announced) throws IOException {
    String inTree = children.stream().map(text -> Child.HEAD + text).collect(joining(","));
    // Compared as a whole, not with assertThat, whose failure would print megabytes.
    assertThat(tree(children, announced).equals(HEAD + inTree + "]}"))
        .as(
            "children of %s, announced %d",
            children.stream().map(String::length).toList(), announced)
        .isTrue();
  }

  private static String tree(List<String> children, long announced) throws IOException {
    var out = new NeitherFlushedNorClosed();
    TreeWriter writer = new TreeWriter(out, children.size(), announced, START, END, false);
    for (String child : children) {
      byte[] bytes = ("##" + child + "#").getBytes(UTF_8);
      writer.child(bytes, 2, bytes.length - 3);
    }
    writer.finish();
    return out.toString(UTF_8);
  }

  private static String text(int length) {
    var text = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      text.append((char) ('a' + (length + i) % 23));
    }
    return text.toString();
  }

  private static final class NeitherFlushedNorClosed extends ByteArrayOutputStream {
    @Override
    public void flush() {
      throw new AssertionError("flushed");
    }

    @Override
    public void close() {
      throw new AssertionError("closed");
    }
  }
}
