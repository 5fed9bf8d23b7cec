package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;
import static sessiontree.event.Messages.END;
import static sessiontree.event.Messages.EVENT;
import static sessiontree.event.Messages.SESSION;
import static sessiontree.event.Messages.START;
import static sessiontree.event.Messages.event;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.JsonCorpus;
import sessiontree.JsonCorpus.Document;

/**
 * Checks that the scanner makes the same batches as Jackson, or none, and makes those of the common
 * shapes. {@code -Dsessiontree.messages=5000000} tries that many messages.
 */
final class EntryScannerTest {
  private static final int MESSAGES = Integer.getInteger("sessiontree.messages", 150_000);

  /** Each seed makes a message, and a second one by damaging the first. */
  @Test
  void scan_ofRandomAndMutatedMessages_givesWhatJacksonGivesOrNothing() {
    int scanned = 0;
    int left = 0;
    int refused = 0;
    for (int seed = 0; seed < MESSAGES / 2; seed++) {
      Random random = new Random(seed);
      var message = new RandomMessage(random);
      byte[] bytes = message.bytes();
      for (byte[] tried : List.of(bytes, RandomMessage.mutated(bytes, random))) {
        if (!Utf8.isValid(tried, 0, tried.length)) {
          continue;
        }
        String what = "seed " + seed + ": ";
        Batch expected = jackson(tried);
        Batch batch = scan(tried, what, random);
        if (batch != null) {
          assertSame(batch, expected, what, tried);
        } else if (tried == bytes && message.isCommon()) {
          throw new AssertionError(what + "is left to Jackson: " + new String(tried, UTF_8));
        }
        scanned += batch != null ? 1 : 0;
        left += batch == null && expected != null ? 1 : 0;
        refused += expected == null ? 1 : 0;
      }
    }
    assertThat(scanned).as("all kinds are tried").isGreaterThan(MESSAGES / 3);
    assertThat(left).as("all kinds are tried").isGreaterThan(MESSAGES / 200);
    assertThat(refused).as("all kinds are tried").isGreaterThan(MESSAGES / 10);
  }

  @Test
  void scan_ofTheCorpusInAnEntry_givesWhatJacksonGivesOrNothing() {
    for (Document document : JsonCorpus.documents()) {
      if (!Utf8.isValid(document.bytes(), 0, document.bytes().length)) {
        continue;
      }
      String value = new String(document.bytes(), UTF_8);
      for (String message :
          List.of(
              value,
              "[" + event(",\"x\":" + value) + "]",
              "[" + event(",\"x\":[" + value + "],\"y\":{\"a\":" + value + "}") + "]",
              "[" + EVENT.replace("5", value) + "]",
              "[" + EVENT.replace("\"n\"", value) + "]")) {
        byte[] bytes = message.getBytes(UTF_8);
        Batch batch = scan(bytes, document.text(), new Random(1));
        if (batch != null) {
          assertSame(batch, jackson(bytes), document.text(), bytes);
        }
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void scan_ofACommonShape_givesWhatJacksonGives(String claim, String message) {
    // Several lengths, because whole words and the bytes left over are read in different ways.
    for (int more = 0; more < 9; more++) {
      byte[] bytes = (message + " ".repeat(more)).getBytes(UTF_8);
      assertSame(scan(bytes, claim, new Random(1)), jackson(bytes), claim, bytes);
      Batch alone = EntryScanner.scan(bytes, 0, bytes.length, SESSION);
      assertSame(alone, jackson(bytes), claim, bytes);
    }
  }

  static Stream<Arguments> scan_ofACommonShape_givesWhatJacksonGives() {
    String session = "[" + START + "," + event(",\"x\":[1,{\"a\":\"b\"}]") + "," + END + "]";
    String name = "a-long-name-of-a-member-";
    return Stream.of(
        arguments("an event", "[" + EVENT + "]"),
        arguments("a start", "[" + START + "]"),
        arguments("an end", "[" + END + "]"),
        arguments("a session", "[" + START + "," + EVENT + "," + EVENT + "," + END + "]"),
        arguments("two starts", "[" + START + "," + START.replace(":1", ":1.5") + "]"),
        arguments("as Python writes", session.replace(",", ", ").replace(":", ": ")),
        arguments(
            "as JSON.stringify indents",
            session.replaceAll("([\\[{,])", "$1\n  ").replace(":", ": ")),
        arguments("with CR and tabs", session.replaceAll("([\\[\\]{},:])", "\r\n\t$1\t")),
        arguments("its session_id", "[" + event(",\"session_id\":\"s-1\"") + "]"),
        arguments("decimals", "[" + EVENT.replace("5", "1569972083.125") + "]"),
        arguments("an exponent", "[" + EVENT.replace("5", "1.569972083125e+9") + "]"),
        arguments("the latest", "[" + EVENT.replace("5", "9223372035.9999999999") + "]"),
        arguments("no more than a zero", "[" + EVENT.replace("5", "-0.0e0") + "]"),
        arguments("another alphabet", "[" + EVENT.replace("\"n\"", "\"買い物かご é 😀\"") + "]"),
        arguments("escapes", "[" + EVENT.replace("\"n\"", "\"\\u00e9\\n\\\"\\\\\\ud800\"") + "]"),
        arguments("names not ASCII", "[" + event(",\"é\":1,\"買い物かご\":2,\"😀\":{\"é\":3}") + "]"),
        arguments(
            "numbers", "[" + event(",\"x\":[-0,1.50,1e400,-2E-7,12345678901234567890]") + "]"),
        arguments("words", "[" + event(",\"x\":true,\"y\":false,\"z\":null") + "]"),
        arguments("nothing in it", "[" + event(",\"\":\"\",\"x\":{},\"y\":[]") + "]"),
        arguments("names nearly known", "[" + event(",\"typ\":1,\"types\":2,\"name \":3") + "]"),
        arguments("known names further in", "[" + event(",\"x\":{\"type\":1,\"type\":2}") + "]"),
        arguments("the deepest", "[" + event(",\"x\":" + "[".repeat(98) + "]".repeat(98)) + "]"),
        arguments("the longest number", "[" + event(",\"x\":" + "1".repeat(1000)) + "]"),
        arguments("a long string", "[" + event(",\"x\":\"" + "é long ".repeat(300) + "\"") + "]"),
        arguments("a long name", "[" + event(",\"" + "long ".repeat(1000) + "\":1") + "]"),
        arguments("50 members", "[" + event(members(50, "", "")) + "," + EVENT + "]"),
        arguments("300 members, among more", manyEvents(20, event(members(300, "", "")))),
        arguments("much the same names", manyEvents(9, event(members(50, name, name)))),
        arguments("a thousand events", manyEvents(1000, EVENT)));
  }

  private static String members(int count, String before, String behind) {
    return IntStream.range(0, count)
        .mapToObj(i -> ",\"" + before + i + behind + "\":" + i)
        .collect(Collectors.joining());
  }

  private static String manyEvents(int count, String event) {
    return Stream.generate(() -> event).limit(count).collect(Collectors.joining(",", "[", "]"));
  }

  /** Known and additional members in any order, so that each is first and last for some seeds. */
  @Test
  void scan_ofMembersInAnyOrder_givesWhatJacksonGives() {
    List<String> members =
        List.of(
            "\"type\":\"EVENT\"",
            "\"timestamp\":15",
            "\"name\":\"a name\"",
            "\"session_id\":\"s-1\"",
            "\"x\":[1, 2]",
            "\"another\":\"x\"");
    for (int seed = 0; seed < 2_000; seed++) {
      var shuffled = new ArrayList<>(members);
      Collections.shuffle(shuffled, new Random(seed));
      byte[] bytes = ("[{" + String.join(",", shuffled) + "}]").getBytes(UTF_8);
      String what = "seed " + seed;
      assertSame(scan(bytes, what, new Random(seed)), jackson(bytes), what, bytes);
    }
  }

  @ParameterizedTest
  @MethodSource
  void scan_ofWhatIsLeftToJackson_givesNothing(String message) {
    byte[] bytes = message.getBytes(UTF_8);

    assertThat(scan(bytes, message, new Random(1))).isNull();
  }

  static Stream<String> scan_ofWhatIsLeftToJackson_givesNothing() {
    return Stream.of(
        "\ufeff[" + EVENT + "]",
        "[" + EVENT + ",]",
        "[" + event(",") + "]",
        "[" + event(",\"x\":[1,]") + "]",
        "[" + event(",\"\\u0078\":1") + "]",
        "[" + event(",\"x\":{\"\\ud800\":1}") + "]",
        "[" + EVENT.replace("EVENT", "\\u0045VENT") + "]",
        "[" + START.replace("}", ",\"name\":null}") + "]",
        "[" + event(",\"x\":" + "1".repeat(1001)) + "]",
        "[" + event(members(2_000, "", "")) + "]");
  }

  /** Scans a message between bytes that would end it differently if they were read. */
  private static Batch scan(byte[] message, String what, Random random) {
    byte[] junk = new byte[message.length + random.nextInt(40)];
    int offset = random.nextInt(junk.length - message.length + 1);
    for (int i = 0; i < junk.length; i++) {
      junk[i] = (byte) "\"]}, 0el\\{[:".charAt(random.nextInt(12));
    }
    System.arraycopy(message, 0, junk, offset, message.length);
    try {
      return EntryScanner.scan(junk, offset, message.length, SESSION);
    } catch (RuntimeException e) {
      throw new AssertionError(what + new String(message, UTF_8), e);
    }
  }

  /** Returns the batch that Jackson makes; null if it refuses the message. */
  private static Batch jackson(byte[] message) {
    try {
      return JacksonParser.parse(message, 0, message.length, SESSION);
    } catch (ProblemException e) {
      return null;
    }
  }

  private static void assertSame(Batch batch, Batch expected, String what, byte[] message) {
    boolean same =
        batch != null
            && expected != null
            && Arrays.equals(batch.children(), expected.children())
            && batch.count() == expected.count()
            && Objects.equals(batch.start(), expected.start())
            && batch.startIndex() == expected.startIndex()
            && batch.secondStartIndex() == expected.secondStartIndex()
            && Objects.equals(batch.end(), expected.end());
    if (!same) {
      throw new AssertionError(
          "%s%nmessage  %s%nscanner  %s%nJackson  %s"
              .formatted(what, new String(message, UTF_8), shown(batch), shown(expected)));
    }
  }

  private static String shown(Batch batch) {
    return batch == null ? "nothing" : batch + " " + new String(batch.children(), UTF_8);
  }
}
