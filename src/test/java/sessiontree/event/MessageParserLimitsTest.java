package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static sessiontree.event.Messages.EVENT;
import static sessiontree.event.Messages.START;
import static sessiontree.event.Messages.childrenOf;
import static sessiontree.event.Messages.event;
import static sessiontree.event.Messages.parse;
import static sessiontree.event.Problem.INVALID_ENTRY;
import static sessiontree.event.Problem.INVALID_JSON;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.Heap;

/** Limits on how deep, how long and how many the parts of a message may be. */
final class MessageParserLimitsTest {
  private static final String START_WITH = START.replace("}", ",");

  /** Entries with a value in different places: %s is the value, which is at level 3. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\":\"EVENT\",\"timestamp\":5,\"name\":\"n\",\"x\":%s}",
        "{\"x\":%s,\"type\":\"EVENT\",\"timestamp\":5,\"name\":\"n\"}",
        "{\"type\":\"SESSION_START\",\"timestamp\":5,\"session_id\":\"s-1\",\"x\":%s}",
        "{\"type\":\"SESSION_END\",\"timestamp\":5,\"session_id\":\"s-1\",\"name\":%s}"
      })
  void parse_ofAMessageDeeperThan100Levels_isRefused(String entry) throws Exception {
    for (String[] level :
        new String[][] {{"[", "]"}, {"{\"a\":", "}"}, {"[1,[],{\"b\":", ",},]"}}) {
      int levelsEach = level[0].startsWith("[1") ? 2 : 1;
      String innermost = "0";
      String deepest =
          level[0].repeat(98 / levelsEach) + innermost + level[1].repeat(98 / levelsEach);
      assertThat(parse("[" + entry.formatted(deepest) + "]")).isNotNull();
      assertInvalidJson("[" + entry.formatted(deepest.replace(innermost, "[]")) + "]");
    }
  }

  @Test
  void parse_ofAHundredThousandLevels_isRefused() {
    assertInvalidJson("[" + event(",\"x\":" + "[".repeat(100_000) + "]".repeat(100_000)) + "]");
    assertInvalidJson("[" + event(",\"x\":" + "{\"\":".repeat(100_000)) + "]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"9%s", "-9%s", "0.%s", "-0.%s", "1.5e%s", "1.5E-%s", "9%s.5", "9%se+1"})
  void parse_ofANumberLongerThan1000Characters_isRefused(String form) throws Exception {
    String longest = number(form, 1000);
    String longer = number(form, 1001);
    for (String member :
        new String[] {"\"x\":%s", "\"x\":[%s]", "\"x\":{\"a\":[0,%s,],}", "\"x\": %s "}) {
      String kept = event("," + member.formatted(longest).replace(",],", "]").replace(" ", ""));
      assertThat(childrenOf("[" + event("," + member.formatted(longest)) + "]"))
          .containsExactly(kept);
      assertInvalidJson("[" + event("," + member.formatted(longer)) + "]");
      assertThat(parse("[" + START_WITH + member.formatted(longest) + "}]")).isNotNull();
      assertInvalidJson("[" + START_WITH + member.formatted(longer) + "}]");
    }
  }

  /** The known member {@code name} may be any value in a SESSION_START; limits apply inside it. */
  @ParameterizedTest
  @ValueSource(strings = {"%s", "[%s]", "{\"a\":[0,%s]}"})
  void parse_ofANumberLongerThan1000CharactersInTheNameOfAStart_isRefused(String name)
      throws Exception {
    String member = "\"name\":" + name;
    assertThat(parse("[" + START_WITH + member.formatted("1".repeat(1000)) + "}]")).isNotNull();
    assertInvalidJson("[" + START_WITH + member.formatted("1".repeat(1001)) + "}]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.%s", "1%se-990", "0.%s", "1e-%s"})
  void parse_ofATimestampLongerThan1000Characters_isRefused(String form) throws Exception {
    String longest = EVENT.replace(":5", ":" + number(form, 1000));
    assertThat(childrenOf("[" + longest + "]")).containsExactly(longest);
    assertInvalidJson("[" + EVENT.replace(":5", ":" + number(form, 1001)) + "]");
  }

  private static String number(String form, int length) {
    return form.formatted("0".repeat(length - form.length() + 2));
  }

  @Test
  void parse_ofAHugeString_keepsIt() throws Exception {
    for (String part : new String[] {"a", "é", "\\u0061", "\\\\", "😀"}) {
      String huge = part.repeat(1_000_000 / part.length());
      for (String event :
          new String[] {
            event(",\"" + huge + "\":1"),
            event(",\"x\":\"" + huge + "\""),
            EVENT.replace("\"n\"", "\"" + huge + "\"")
          }) {
        // No assertion on lists, whose failure would print megabytes.
        assertThat(childrenOf("[" + event + "]").get(0).equals(event)).as("%s", part).isTrue();
      }
    }
  }

  @Test
  void parse_ofAHugeNameTwice_isRefusedWithoutRepeatingIt() {
    String member = ",\"" + "a".repeat(500_000) + "\":1";
    var refusal =
        catchThrowableOfType(
            ProblemException.class, () -> parse("[" + event(member + member) + "]"));

    assertThat(refusal.problem()).isEqualTo(INVALID_ENTRY);
    assertThat(refusal.pointer()).isEqualTo("/0");
    assertThat(refusal.detail()).hasSizeLessThan(300);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\":\"%s\",\"timestamp\":5,\"name\":\"n\"}",
        "{\"type\":\"EVENT\",\"timestamp\":5,\"name\":\"n\",\"session_id\":\"%s\"}",
        "%s"
      })
  void parse_ofAHugeWrongText_isRefusedWithoutRepeatingIt(String entry) {
    var refusal =
        catchThrowableOfType(
            ProblemException.class, () -> parse("[" + entry.formatted("a".repeat(500_000)) + "]"));

    assertThat(refusal.detail()).hasSizeLessThan(300);
  }

  @Test
  void parse_of100000AdditionalMembers_keepsThem() throws Exception {
    assertKept(IntStream.range(0, 100_000).mapToObj(Integer::toString).collect(Collectors.toSet()));
  }

  /**
   * Names of eight characters that collide in Jackson's symbol table whatever its seed, which is
   * mixed in last. A symbol table that takes them for an attack must not cause a refusal.
   */
  @Test
  void parse_ofMembersWhoseNamesCollide_keepsThem() throws Exception {
    Random random = new Random(1);
    int inverseOf33 = 0x3e0f83e1;
    Set<String> names = new HashSet<>();
    while (names.size() < 20_000) {
      byte[] name = new byte[8];
      int first = 0;
      for (int i = 0; i < 4; i++) {
        name[i] = (byte) ('#' + random.nextInt('Z' - '#'));
        first = first << 8 | name[i];
      }
      int mixed = first + (first >>> 15);
      mixed ^= mixed >>> 9;
      int second = (0x12345678 - mixed) * inverseOf33;
      boolean plain = true;
      for (int i = 0; i < 4; i++) {
        name[4 + i] = (byte) (second >>> 24 - 8 * i);
        plain &= name[4 + i] >= '#' && name[4 + i] < 127 && name[4 + i] != '\\';
      }
      if (plain) {
        names.add(new String(name, UTF_8));
      }
    }
    assertKept(names);
    assertThat(childrenOf("[" + EVENT + "]"))
        .containsExactly(EVENT); // the next message is not affected either
  }

  /** Parses 100 MB of names with Jackson: the fast scanner takes no trailing comma. */
  @Test
  void parse_ofHugeNames_keepsNoneOfThem() throws Exception {
    long before = Heap.usedBytes();
    for (int i = 0; i < 100; i++) {
      String name = i + "x".repeat(1_000_000);
      String refused = event(",\"" + name + "\":1").replace("\"timestamp\":5,", "");
      assertThatThrownBy(() -> parse("[" + refused + ",]")).isInstanceOf(ProblemException.class);
    }
    assertThat(Heap.usedBytes() - before).isLessThan(20_000_000);
  }

  private static void assertKept(Set<String> names) throws ProblemException {
    String event =
        event(names.stream().map(name -> ",\"" + name + "\":1").collect(Collectors.joining()));
    assertThat(childrenOf("[" + event + "]").get(0).equals(event)).isTrue();
  }

  private static void assertInvalidJson(String message) {
    var refusal = catchThrowableOfType(ProblemException.class, () -> parse(message));
    assertThat(refusal).as("%.300s is refused", message).isNotNull();
    assertThat(refusal.problem()).as("%.300s", message).isEqualTo(INVALID_JSON);
  }
}
