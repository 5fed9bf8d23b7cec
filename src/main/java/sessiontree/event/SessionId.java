package sessiontree.event;

/**
 * The syntax of session ids and writer names: 1 to 128 of {@code A-Z a-z 0-9 . _ ~ -}, and neither
 * "." nor "..".
 */
public final class SessionId {
  /** Maximum length in characters, and so in bytes. */
  public static final int MAX_LENGTH = 128;

  private SessionId() {}

  /** Returns the id unchanged, if it is valid. */
  public static String check(String id) throws ProblemException {
    if (!isValid(id)) {
      throw new ProblemException(
          Problem.INVALID_SESSION_ID,
          "a session id is 1 to 128 of A-Z a-z 0-9 . _ ~ - and not . or ..; got " + shown(id));
    }
    return id;
  }

  public static boolean isValid(String id) {
    if (id.isEmpty() || id.length() > MAX_LENGTH || id.equals(".") || id.equals("..")) {
      return false;
    }
    for (int i = 0; i < id.length(); i++) {
      char c = id.charAt(i);
      boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      boolean valid = letter || (c >= '0' && c <= '9') || "._~-".indexOf(c) >= 0;
      if (!valid) {
        return false;
      }
    }
    return true;
  }

  /**
   * Returns a client's text for an error message: shortened, and with only printable characters.
   */
  static String shown(String text) {
    String start =
        text.length() <= 40
            ? text
            : text.substring(0, 40) + "... (" + text.length() + " characters)";
    return "\"" + start.replaceAll("[^ -~]", "?") + "\"";
  }
}
