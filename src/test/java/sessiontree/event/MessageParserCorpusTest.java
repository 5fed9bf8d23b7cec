package sessiontree.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static sessiontree.event.Messages.event;
import static sessiontree.event.Messages.parse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.JsonCorpus;
import sessiontree.JsonCorpus.Document;

/** Documents that nobody chose one by one: a corpus, truncations, mutations. */
final class MessageParserCorpusTest {
  /** Documents that are not JSON by themselves, but end an entry properly as a member's value. */
  private static final Set<String> FINE_IN_AN_ENTRY =
      Set.of("n 1,", "n [1],", "n 1,\"y\":2", "n 1,\"y\":[2,],");

  private static final byte[] VALID =
      ("[{\"type\":\"SESSION_START\",\"timestamp\":1569972082,\"session_id\":\"s-1\"},\n"
              + "{\"timestamp\":1569972083.125,\"type\":\"EVENT\",\"é😀\":[1e400,-0.0,{\"a\":{},},],"
              + "\"name\":\"cart\\u006c\",\"x\":\"\\ud800\\\"\",\"session_id\":\"s-1\"},"
              + "{\"type\":\"EVENT\",\"timestamp\":15e8,\"name\":\"n\",\"\":null,\"t\":true,},"
              + "{\"type\":\"SESSION_END\",\"timestamp\":0,\"session_id\":\"s-1\",\"name\":[]},]")
          .getBytes(UTF_8);

  /** Returns the malformed documents that are UTF-8; others are refused before parsing. */
  static Stream<Document> malformed() {
    return JsonCorpus.malformed().filter(document -> isUtf8(document.bytes()));
  }

  static Stream<Document> wellFormed() {
    return JsonCorpus.wellFormed();
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void parse_ofAMalformedDocument_isRefusedWithACode(Document document) {
    assertRefused(document.bytes());
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void parse_ofAMalformedDocumentInAnEntry_isRefusedOrFineThere(Document document)
      throws Exception {
    byte[] message = inAnEntry(document);
    if (FINE_IN_AN_ENTRY.contains(document.text())) {
      assertChildren(parse(message), message, document.text());
    } else {
      assertRefused(message);
    }
  }

  private static void assertRefused(byte[] message) {
    var refusal = catchThrowableOfType(ProblemException.class, () -> parse(message));
    assertThat(refusal).isNotNull();
    assertThat(refusal.problem())
        .isIn(Problem.INVALID_JSON, Problem.INVALID_MESSAGE, Problem.INVALID_ENTRY);
    assertThat(refusal.detail()).matches("[ -~]+");
  }

  @ParameterizedTest
  @MethodSource("wellFormed")
  void parse_ofAWellFormedDocumentInAnEntry_keepsItAsItWasSent(Document document) throws Exception {
    byte[] message = inAnEntry(document);

    assertThat(isUtf8(message)).isTrue();
    assertChildren(parse(message), message, document.text());
  }

  @Test
  void isValid_ofTheCorpus_isWhatTheJdkSays() {
    for (Document document : JsonCorpus.documents()) {
      byte[] again = new String(document.bytes(), UTF_8).getBytes(UTF_8);
      assertThat(isUtf8(document.bytes()))
          .as(document.text())
          .isEqualTo(Arrays.equals(again, document.bytes()));
    }
    assertThat(malformed()).hasSizeGreaterThan(120);
    assertThat(wellFormed()).hasSizeGreaterThan(60);
  }

  private static boolean isUtf8(byte[] bytes) {
    return Utf8.isValid(bytes, 0, bytes.length);
  }

  private static byte[] inAnEntry(Document document) {
    var message = new ByteArrayOutputStream();
    String entry = event(",\"x\":");
    message.writeBytes(("[" + entry.substring(0, entry.length() - 1)).getBytes(UTF_8));
    message.writeBytes(document.bytes());
    message.writeBytes("}]".getBytes(UTF_8));
    return message.toByteArray();
  }

  @Test
  void parse_ofEveryTruncationOfAMessage_isRefused() {
    for (int length = 0; length < VALID.length; length++) {
      byte[] message = Arrays.copyOf(VALID, length);
      if (isUtf8(message)) {
        var refusal = catchThrowableOfType(ProblemException.class, () -> parse(message));
        assertThat(refusal).as("%d bytes", length).isNotNull();
        assertThat(refusal.problem()).as("%d bytes", length).isEqualTo(Problem.INVALID_JSON);
      }
    }
  }

  @Test
  void parse_ofMutatedMessages_isRefusedOrKeepsWhatIsThere() throws Exception {
    int accepted = 0;
    int refused = 0;
    for (int seed = 0; seed < 30_000; seed++) {
      byte[] message = mutated(VALID, new Random(seed));
      if (!isUtf8(message)) {
        continue;
      }
      String what = "seed " + seed + ": " + new String(message, UTF_8);
      Batch batch;
      try {
        batch = parse(message);
      } catch (ProblemException e) {
        refused++;
        continue;
      } catch (RuntimeException e) {
        throw new AssertionError(what, e);
      }
      accepted++;
      assertChildren(batch, message, what);
    }
    assertThat(accepted).as("both are tried").isGreaterThan(1_000);
    assertThat(refused).as("both are tried").isGreaterThan(1_000);
  }

  private static byte[] mutated(byte[] valid, Random random) {
    byte[] bytes = valid;
    byte[] likely = "{}[],:\"\\/ \n\0.0159eE+-tfnuaxé\ufeff".getBytes(UTF_8);
    for (int i = random.nextInt(3); i >= 0; i--) {
      int from = random.nextInt(bytes.length);
      int to = Math.min(bytes.length, from + random.nextInt(random.nextBoolean() ? 2 : 30));
      int copyFrom = random.nextInt(bytes.length);
      int copyTo = Math.min(bytes.length, copyFrom + random.nextInt(30));
      byte[] middle =
          switch (random.nextInt(4)) {
            case 0 -> new byte[] {likely[random.nextInt(likely.length)]};
            case 1 -> new byte[] {(byte) random.nextInt(128)};
            case 2 -> new byte[0];
            default -> Arrays.copyOfRange(bytes, copyFrom, copyTo);
          };
      var mutated = new ByteArrayOutputStream();
      mutated.write(bytes, 0, from);
      mutated.writeBytes(middle);
      mutated.write(bytes, to, bytes.length - to);
      if (mutated.size() > 0) {
        bytes = mutated.toByteArray();
      }
    }
    return bytes;
  }

  /** Asserts that the children are JSON without trailing commas, and say what the message said. */
  private static void assertChildren(Batch batch, byte[] message, String what) throws IOException {
    List<List<String>> children = new ArrayList<>();
    for (Child child : Child.all(batch.children())) {
      children.add(JsonTokens.strict(child.inTree()));
    }
    assertThat(children).as(what).isEqualTo(JsonTokens.expectedChildren(message));
  }
}
