package sessiontree.store.local;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Locale;
import sessiontree.event.SessionId;

/**
 * The path of a session's tree in the directory of all trees, such as {@code 5c/id.json}. The 256
 * folders spread the files. The name is the id in lower case; if the id has upper-case letters, "+"
 * and the hex bit mask of their positions follow, as some file systems ignore case.
 */
final class TreePath {
  static final String SUFFIX = ".json";
  static final int FOLDERS = 256;
  private static final HexFormat HEX = HexFormat.of();

  private TreePath() {}

  /** Returns the path of a session's tree, relative to the directory. */
  static String of(String id) {
    int hash = id.hashCode();
    String folder = folder((hash ^ hash >>> 8 ^ hash >>> 16 ^ hash >>> 24) & 0xff);
    String lower = id.toLowerCase(Locale.ROOT);
    if (lower.equals(id)) {
      return folder + id + SUFFIX;
    }
    BigInteger upper = BigInteger.ZERO;
    for (int i = 0; i < id.length(); i++) {
      if (id.charAt(i) != lower.charAt(i)) {
        upper = upper.setBit(i);
      }
    }
    return folder + lower + "+" + upper.toString(16) + SUFFIX;
  }

  /** Returns the folder with that number, as the prefix of relative paths. */
  static String folder(int number) {
    return HEX.toHexDigits((byte) number) + "/";
  }

  /** Returns the id whose tree has a path, which must end in {@link #SUFFIX}; null if none has. */
  static String id(String path) {
    String name = path.substring(3, path.length() - SUFFIX.length());
    int plus = name.indexOf('+');
    String id = plus < 0 ? name : withUpperCase(name.substring(0, plus), name.substring(plus + 1));
    return SessionId.isValid(id) && of(id).equals(path) ? id : null;
  }

  private static String withUpperCase(String lower, String hex) {
    StringBuilder id = new StringBuilder(lower);
    try {
      BigInteger upper = new BigInteger(hex, 16);
      for (int i = 0; i < id.length(); i++) {
        if (upper.testBit(i)) {
          id.setCharAt(i, Character.toUpperCase(id.charAt(i)));
        }
      }
    } catch (NumberFormatException e) { // then it is not the path of a tree
      return lower;
    }
    return id.toString();
  }

  /** Returns the path of the facts beside a tree. */
  static Path facts(Path tree) {
    return tree.resolveSibling(tree.getFileName().toString().replaceFirst("json$", "facts"));
  }
}
