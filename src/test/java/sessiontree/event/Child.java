package sessiontree.event;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A child in a form that suits tests; {@link Children} is the same in bytes. */
public record Child(long key, String text) {
  /** Beginning of each child in the tree; its text follows. */
  public static final String HEAD = "{\"type\":\"EVENT\",\"timestamp\":";

  String inTree() {
    return HEAD + text;
  }

  /** Returns the children laid out one after another. */
  public static byte[] bytes(List<Child> children) {
    var out = new ByteArrayOutputStream();
    for (Child child : children) {
      byte[] text = child.text.getBytes(StandardCharsets.UTF_8);
      byte[] header = new byte[Children.HEADER_BYTES];
      Children.putHeader(header, 0, child.key, text.length);
      out.writeBytes(header);
      out.writeBytes(text);
    }
    return out.toByteArray();
  }

  /** Returns the children that {@link #bytes} laid out. */
  public static List<Child> all(byte[] bytes) {
    List<Child> children = new ArrayList<>();
    for (int i = 0; i < bytes.length; ) {
      int length = Children.length(bytes, i);
      int text = i + Children.HEADER_BYTES;
      children.add(
          new Child(
              Children.key(bytes, i), new String(bytes, text, length, StandardCharsets.UTF_8)));
      i = text + length;
    }
    return children;
  }
}
