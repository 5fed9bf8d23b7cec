package sessiontree.sort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import sessiontree.event.Child;

/** A cursor over a list. Like a run read from a file, it has one array, which it overwrites. */
final class ListCursor implements Cursor {
  private final Iterator<Child> children;
  private final byte[] array = new byte[64];
  private Child child;
  private int length;

  ListCursor(List<Child> children) {
    this.children = children.iterator();
  }

  /** Returns the children that are left, and checks that the cursor stays at its end. */
  static List<Child> drain(Cursor cursor) throws IOException {
    List<Child> drained = new ArrayList<>();
    while (cursor.next()) {
      String text =
          new String(cursor.array(), cursor.offset(), cursor.length(), StandardCharsets.UTF_8);
      drained.add(new Child(cursor.key(), text));
    }
    if (cursor.next() || cursor.next()) {
      throw new AssertionError("next() returned true after the end");
    }
    return drained;
  }

  @Override
  public boolean next() {
    Arrays.fill(array, (byte) '#');
    if (!children.hasNext()) {
      child = null;
      return false;
    }
    child = children.next();
    byte[] text = child.text().getBytes(StandardCharsets.UTF_8);
    System.arraycopy(text, 0, array, 3, text.length);
    length = text.length;
    return true;
  }

  @Override
  public long key() {
    return child.key();
  }

  @Override
  public byte[] array() {
    return array;
  }

  @Override
  public int offset() {
    return 3;
  }

  @Override
  public int length() {
    return length;
  }
}
