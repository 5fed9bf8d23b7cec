package sessiontree.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class Utf8Test {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "00",
        "7f",
        "c280",
        "dfbf",
        "e0a080",
        "ed9fbf",
        "ee8080",
        "efbfbf",
        "f0908080",
        "f48fbfbf"
      })
  void isValid_ofTheFirstAndLastOfEachLength_isTrue(String hex) {
    assertAtEveryPlace(hex, true);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "80",
        "bf",
        "c2",
        "e0a0",
        "f09080",
        "f090", // incomplete characters
        "c080",
        "c1bf",
        "e08080",
        "e09fbf",
        "f0808080",
        "f08fbfbf", // overlong
        "eda080",
        "edafbf",
        "edb080",
        "edbfbf",
        "eda0bdedb880", // surrogates
        "f4908080",
        "f5808080",
        "f888808080",
        "fc8480808080",
        "fe",
        "ff", // beyond U+10FFFF
        "c27f",
        "c2c0",
        "e0a07f",
        "e0a0c0",
        "f090807f",
        "f09080c0" // no continuation byte
      })
  void isValid_ofWhatIsNotUtf8_isFalse(String hex) {
    assertAtEveryPlace(hex, false);
  }

  /** Asserts the result with up to 17 plain bytes on each side, beyond which nothing is read. */
  private static void assertAtEveryPlace(String hex, boolean valid) {
    byte[] part = HexFormat.of().parseHex(hex);
    for (int before = 0; before <= 17; before++) {
      for (int behind = 0; behind <= 17; behind++) {
        byte[] bytes = new byte[before + part.length + behind];
        Arrays.fill(bytes, (byte) 'a');
        System.arraycopy(part, 0, bytes, before, part.length);
        assertThat(inJunk(bytes)).as("%d, %s, %d", before, hex, behind).isEqualTo(valid);
      }
    }
  }

  @Test
  void isValid_ofNothing_isTrue() {
    assertThat(inJunk(new byte[0])).isTrue();
  }

  @Test
  void isValid_ofRandomAndMutatedText_isWhatTheDecoderSays() {
    int valid = 0;
    for (int seed = 0; seed < 20_000; seed++) {
      Random random = new Random(seed);
      byte[] bytes = text(random, random.nextInt(seed % 100 == 0 ? 5_000 : 40));
      for (int i = random.nextInt(4); i > 0 && bytes.length > 0; i--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      bytes = Arrays.copyOf(bytes, bytes.length - Math.min(bytes.length, random.nextInt(3)));
      boolean expected = decodes(bytes);
      valid += expected ? 1 : 0;
      assertThat(inJunk(bytes))
          .as("seed %d: %s", seed, HexFormat.of().formatHex(bytes))
          .isEqualTo(expected);
    }
    assertThat(valid).as("both kinds are tried").isBetween(5_000, 15_000);
  }

  /** Tries all first bytes, and as further bytes those at which a range of them begins or ends. */
  @Test
  void isValid_ofEverySequenceOfBytesAtALimit_isWhatTheDecoderSays() {
    int[] seconds = {'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff};
    int[] others = {0x7f, 0x80, 0xbf, 0xc0};
    for (int first = 0; first <= 0xff; first++) {
      for (int second : seconds) {
        for (int third : others) {
          for (int fourth : others) {
            byte[] bytes = {(byte) first, (byte) second, (byte) third, (byte) fourth};
            for (int length = 1; length <= 4; length++) {
              byte[] some = Arrays.copyOf(bytes, length);
              if (inJunk(some) != decodes(some)) {
                throw new AssertionError(HexFormat.of().formatHex(some));
              }
            }
          }
        }
      }
    }
  }

  private static byte[] text(Random random, int characters) {
    int[] limits = {0x80, 0x800, 0xd800, 0x110000};
    int mostly = random.nextInt(2);
    var text = new StringBuilder();
    for (int i = 0; i < characters; i++) {
      int limit = limits[random.nextInt(3) == 0 ? random.nextInt(4) : mostly];
      int point = random.nextInt(limit);
      text.appendCodePoint(point >= 0xd800 && point < 0xe000 ? 'a' : point);
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static boolean inJunk(byte[] bytes) {
    byte[] junk = new byte[bytes.length + 14];
    Arrays.fill(junk, (byte) 0x80);
    System.arraycopy(bytes, 0, junk, 5, bytes.length);
    return Utf8.isValid(junk, 5, bytes.length);
  }

  private static boolean decodes(byte[] bytes) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }
}
