package sessiontree.store.local;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Locale;
import sessiontree.event.SessionId;

/**
 * Where a session's tree lies in the directory of all trees: as {@code 5c/id.json}. The folder, one
 * of 256, spreads files out; the name is the id in lower case and, if that is another, "+" and
 * which characters are in upper case, as file systems may not tell them apart.
 */
final class TreePath {
  static final String SUFFIX = ".json";
  static final int FOLDERS = 256;
  private static final HexFormat HEX = HexFormat.of();

  private TreePath() {}

  /** The session's, relative to the directory. */
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

  /** The folder of that number, as relative paths begin. */
  static String folder(int number) {
    return HEX.toHexDigits((byte) number) + "/";
  }

  /** The number of a relative path's folder. */
  static int folder(String path) {
    return HexFormat.fromHexDigits(path, 0, 2);
  }

  /** The session whose tree has that relative path, which ends as all do; null if none has. */
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
    } catch (NumberFormatException e) { // then no tree's path is that
      return lower;
    }
    return id.toString();
  }

  /** The file beside a tree. */
  static Path facts(Path tree) {
    return tree.resolveSibling(tree.getFileName().toString().replaceFirst("json$", "facts"));
  }
}
