package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import sessiontree.JsonCorpus;

/**
 * A random message of session s-1: mostly what clients send, and now and then what they should not
 * send.
 */
final class RandomMessage {
  private static final List<String> CORPUS =
      JsonCorpus.documents().stream()
          .filter(document -> Utf8.isValid(document.bytes(), 0, document.bytes().length))
          .map(document -> new String(document.bytes(), UTF_8))
          .toList();

  private static final String[] TIMESTAMPS = {
    "0",
    "-0",
    "0.5",
    "1.5e9",
    "15E+8",
    "1569972083000e-3",
    "9223372035.999999999",
    "1569972083.0",
    "1569972083.1234567891",
    "0.0000000001",
    "0.00000000199",
    "1e-99",
    "0e99",
    "1569972083.000e0"
  };
  private static final String[] WRONG_TIMESTAMPS = {
    "-1", "9223372036", "9999999999.999999999", "1569972083000", "1e99", "01", "1.", ".5", "+1",
    "\"1\"", "null", "-", "1e", "0x1", "92233720360e-1", "00.5", "", "NaN"
  };
  private static final String[] NUMBERS = {
    "0", "-0", "1", "-1", "42", "-12.50", "1e5", "1E-400", "2.5e+10", "0.1", "123456789012345678901"
  };
  private static final String[] CHARACTERS = {
    "a",
    "b",
    "word",
    " ",
    "é",
    "買",
    "😀",
    "\u007f",
    "\u2028",
    "'",
    "/",
    "{",
    "]",
    ",",
    ":",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\u0041",
    "\\ud83d\\uDE00",
    "\\ud800",
    "\\u0000",
    "a longer text, "
  };
  private static final String[] NOT_CHARACTERS = {
    "\n", "\0", "\u001f", "\t", "\\x", "\\u12", "\\u12g4", "\\", "\"", "\\U0041", "\\'"
  };

  private enum Style {
    COMPACT,
    PYTHON,
    INDENTED,
    WILD
  }

  private final Random random;
  private final Style style;
  private final int oddity; // one in so many parts is uncommon or wrong; 0: none is
  private final StringBuilder text = new StringBuilder();
  private boolean common = true;
  private int depth;

  RandomMessage(Random random) {
    this.random = random;
    this.style = Style.values()[random.nextInt(4)];
    this.oddity = random.nextInt(3) == 0 ? 10 + random.nextInt(100) : 0;
    message();
  }

  byte[] bytes() {
    return text.toString().getBytes(UTF_8);
  }

  /** Returns whether the message has no odd parts. */
  boolean isCommon() {
    return common;
  }

  private boolean odd() {
    boolean odd = oddity > 0 && random.nextInt(oddity) == 0;
    common &= !odd;
    return odd;
  }

  private void message() {
    if (odd()) {
      text.append(one("\ufeff", "\ufeff\ufeff", "{", "\0", "x"));
    }
    space();
    text.append('[');
    depth++;
    int entries = random.nextInt(8) == 0 ? random.nextInt(30) : 1 + random.nextInt(3);
    common &= entries > 0;
    for (int i = 0; i < entries; i++) {
      if (i > 0) {
        token(",");
      } else {
        space();
      }
      entry(i, entries);
    }
    close(']');
    if (style == Style.WILD) {
      space();
    }
    if (odd()) {
      text.append(one("]", ",", "[]", "x", "\0", "\ufeff"));
    }
  }

  private void entry(int index, int entries) {
    if (odd()) {
      text.append(one("1", "null", "[]", "{}", "{,}", "", "\"EVENT\""));
      return;
    }
    boolean start = index == 0 ? random.nextBoolean() : random.nextInt(20) == 0;
    boolean end = !start && (odd() || (index == entries - 1 && random.nextInt(4) == 0));
    List<String> members = new ArrayList<>();
    members.add("type");
    members.add("timestamp");
    if (!start && !end || random.nextInt(4) == 0) {
      members.add("name");
    }
    if (start || end || random.nextInt(4) == 0) {
      members.add("session_id");
    }
    int more = random.nextInt(30) == 0 ? random.nextInt(70) : random.nextInt(4);
    for (int i = 0; i < more; i++) {
      members.add(
          one("x", "é", "m", "name_", "Type", "timestamps", "a long name of a member ") + i);
    }
    if (random.nextBoolean()) {
      Collections.shuffle(members, random);
    }
    if (odd()) {
      members.remove(random.nextInt(members.size()));
    }
    if (odd() && !members.isEmpty()) {
      members.add(random.nextInt(members.size() + 1), members.get(random.nextInt(members.size())));
    }
    text.append('{');
    depth++;
    for (int i = 0; i < members.size(); i++) {
      if (i > 0) {
        token(",");
      } else {
        space();
      }
      String name = members.get(i);
      text.append('"').append(odd() ? escaped(name) : name).append('"');
      token(":");
      text.append(
          switch (name) {
            case "type" -> type(start, end);
            case "timestamp" -> timestamp();
            case "name" -> odd() ? one("\"\"", "1", "null", "[\"n\"]", "{}") : string(1);
            case "session_id" ->
                odd() ? one("\"s-2\"", "\"\"", "\"s-1", "\"\\u0073-1\"", "1") : "\"s-1\"";
            default -> "";
          });
      if (!List.of("type", "timestamp", "name", "session_id").contains(name)) {
        value(3);
      }
    }
    close('}');
  }

  private String type(boolean start, boolean end) {
    return odd()
        ? one(
            "\"SESSION\"",
            "\"\"",
            "\"event\"",
            "1",
            "\"\\u0045VENT\"",
            "\"EVENT",
            "\"SESSION_END_\"")
        : start ? "\"SESSION_START\"" : end ? "\"SESSION_END\"" : "\"EVENT\"";
  }

  private String timestamp() {
    if (odd()) {
      return one(WRONG_TIMESTAMPS);
    }
    return switch (random.nextInt(4)) {
      case 0 -> one(TIMESTAMPS);
      case 1 -> (1_569_972_083L + random.nextInt(1000)) + "." + random.nextInt(1_000_000_000);
      default -> Long.toString(1_569_972_083L + random.nextInt(1000));
    };
  }

  private void value(int levels) {
    if (odd()) {
      text.append(one(CORPUS.toArray(String[]::new)));
      return;
    }
    switch (random.nextInt(levels > 0 ? 8 : 5)) {
      case 0, 1 -> text.append(string(0));
      case 2 -> text.append(one(NUMBERS));
      case 3 -> text.append(random.nextInt());
      case 4 -> text.append(one("true", "false", "null"));
      case 5, 6 -> nested('{', '}', levels);
      default -> nested('[', ']', levels);
    }
  }

  private void nested(char open, char close, int levels) {
    int deep = random.nextInt(200) == 0 ? 90 + random.nextInt(12) : 0;
    common &= deep < 90;
    text.append("[".repeat(deep));
    text.append(open);
    depth++;
    int count = random.nextInt(4);
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        token(",");
      } else {
        space();
      }
      if (open == '{') {
        text.append(
            odd() ? string(0) : one("\"\"", "\"a\"", "\"type\"", "\"買い物かご\"", "\"a long name\""));
        token(":");
      }
      value(levels - 1);
    }
    close(close);
    text.append("]".repeat(deep));
  }

  private String string(int least) {
    var string = new StringBuilder("\"");
    int parts = least + (random.nextInt(20) == 0 ? random.nextInt(80) : random.nextInt(4));
    boolean plain = random.nextBoolean();
    for (int i = 0; i < parts; i++) {
      string.append(plain ? "plain " : one(CHARACTERS));
    }
    if (odd()) {
      string.append(one(NOT_CHARACTERS));
    }
    return string.append('"').toString();
  }

  private static String escaped(String name) {
    return "\\u%04x%s".formatted((int) name.charAt(0), name.substring(1));
  }

  private void close(char close) {
    if (odd()) {
      text.append(one(",", ",,", "}", "]", " , "));
    }
    depth--;
    space();
    text.append(close);
  }

  /** Appends a comma or colon. */
  private void token(String token) {
    if (style == Style.WILD) {
      space();
    }
    text.append(odd() ? one("", ",,", ";", "::", "/**/,") : token);
    if (style == Style.PYTHON || (style == Style.INDENTED && token.equals(":"))) {
      text.append(' ');
    } else {
      space();
    }
  }

  private void space() {
    if (style == Style.INDENTED) {
      text.append('\n').append("  ".repeat(depth));
    } else if (style == Style.WILD) {
      while (random.nextInt(3) == 0) {
        text.append(" \t\r\n".charAt(random.nextInt(4)));
      }
      if (odd()) {
        text.append(one("\f", "\u000b", "\u00a0", "//\n", "\ufeff", "\0"));
      }
    }
  }

  private String one(String... of) {
    return of[random.nextInt(of.length)];
  }

  /** Returns a copy with 1 to 3 bytes or spans changed, dropped, added, swapped or repeated. */
  static byte[] mutated(byte[] message, Random random) {
    byte[] likely = "{}[],:\"\\/ \n\t\r\0.0159eE+-tfnuax\ufeffé".getBytes(UTF_8);
    byte[] bytes = message.clone();
    for (int i = random.nextInt(3); i >= 0 && bytes.length > 0; i--) {
      int at = random.nextInt(bytes.length);
      int other = random.nextInt(bytes.length);
      switch (random.nextInt(7)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(7));
        case 1 -> bytes[at] = likely[random.nextInt(likely.length)];
        case 2 -> bytes = spliced(bytes, at, at + 1, new byte[0]);
        case 3 ->
            bytes = spliced(bytes, at, at, new byte[] {likely[random.nextInt(likely.length)]});
        case 4 -> {
          byte swapped = bytes[at];
          bytes[at] = bytes[other];
          bytes[other] = swapped;
        }
        case 5 -> {
          int to = Math.min(bytes.length, other + random.nextInt(40));
          bytes = spliced(bytes, at, at, Arrays.copyOfRange(bytes, other, to));
        }
        default ->
            bytes =
                random.nextInt(4) == 0
                    ? Arrays.copyOf(bytes, at)
                    : spliced(
                        bytes, at, Math.min(bytes.length, at + random.nextInt(40)), new byte[0]);
      }
    }
    return bytes;
  }

  private static byte[] spliced(byte[] bytes, int from, int to, byte[] middle) {
    var spliced = new ByteArrayOutputStream();
    spliced.write(bytes, 0, from);
    spliced.writeBytes(middle);
    spliced.write(bytes, to, bytes.length - to);
    return spliced.toByteArray();
  }
}
