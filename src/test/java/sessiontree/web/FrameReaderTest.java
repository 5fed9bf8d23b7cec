package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameReaderTest {
  private static final int MAX_MESSAGE_BYTES = 200_000;

  /** Writes down what it takes. */
  private static final class Taken implements FrameReader.Sink {
    final List<String> told = new ArrayList<>();

    @Override
    public void message(byte[] bytes, int offset, int length, boolean text) {
      told.add(
          (text ? "text " : "binary ") + shown(Arrays.copyOfRange(bytes, offset, offset + length)));
    }

    @Override
    public void tooBig() {
      told.add("too big");
    }

    @Override
    public void control(int opcode, byte[] payload) {
      told.add("control " + opcode + " " + shown(payload));
    }

    @Override
    public void violation(String what) {
      told.add("violation");
    }
  }

  private final Taken taken = new Taken();
  private final FrameReader reader = new FrameReader(MAX_MESSAGE_BYTES, taken);

  private static String shown(byte[] bytes) {
    return bytes.length > 20
        ? bytes.length + " bytes, " + Arrays.hashCode(bytes)
        : Arrays.toString(bytes);
  }

  private static byte[] frame(int first, byte[] payload, int mask) {
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    frame.write(first);
    if (payload.length < 126) {
      frame.write(0x80 | payload.length);
    } else if (payload.length < 1 << 16) {
      frame.write(0x80 | 126);
      frame.writeBytes(ByteBuffer.allocate(2).putShort((short) payload.length).array());
    } else {
      frame.write(0x80 | 127);
      frame.writeBytes(ByteBuffer.allocate(8).putLong(payload.length).array());
    }
    byte[] key = ByteBuffer.allocate(4).putInt(mask).array();
    frame.writeBytes(key);
    for (int i = 0; i < payload.length; i++) {
      frame.write(payload[i] ^ key[i & 3]);
    }
    return frame.toByteArray();
  }

  private static byte[] bytes(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private static int length(Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> 0;
      case 1 -> 120 + random.nextInt(12);
      case 2 -> random.nextInt(40_000);
      case 3 -> 65_530 + random.nextInt(12);
      default -> random.nextInt(60);
    };
  }

  /** Adds a message in one or more frames, with control frames between. */
  private static void addMessage(Random random, ByteArrayOutputStream sent, List<String> expected) {
    boolean text = random.nextBoolean();
    ByteArrayOutputStream message = new ByteArrayOutputStream();
    int fragments = random.nextInt(4) == 0 ? 1 + random.nextInt(3) : 1;
    for (int i = 0; i < fragments; i++) {
      byte[] payload = bytes(random, fragments == 1 ? length(random) : random.nextInt(3_000));
      int opcode = i > 0 ? 0 : text ? 1 : 2;
      sent.writeBytes(frame((i == fragments - 1 ? 0x80 : 0) | opcode, payload, random.nextInt()));
      message.writeBytes(payload);
      if (random.nextInt(4) == 0 && i < fragments - 1) {
        byte[] ping = bytes(random, random.nextInt(126));
        sent.writeBytes(frame(0x89, ping, random.nextInt()));
        expected.add("control 9 " + shown(ping));
      }
    }
    expected.add((text ? "text " : "binary ") + shown(message.toByteArray()));
  }

  @Test
  void messages_areWhatWasSent_howeverTheBytesAreCut() {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      ByteArrayOutputStream sent = new ByteArrayOutputStream();
      List<String> expected = new ArrayList<>();
      for (int i = random.nextInt(20); i >= 0; i--) {
        addMessage(random, sent, expected);
      }
      Taken told = new Taken();
      FrameReader cut = new FrameReader(MAX_MESSAGE_BYTES, told);
      byte[] all = sent.toByteArray();
      int most = 1 << random.nextInt(18);
      for (int from = 0; from < all.length; ) {
        int to = Math.min(all.length, from + 1 + random.nextInt(most));
        byte[] buffer =
            Arrays.copyOfRange(all, from - Math.min(from, 3), to); // not at its beginning
        cut.read(buffer, buffer.length - (to - from), buffer.length);
        from = to;
      }
      assertThat(told.told).as("seed " + seed).isEqualTo(expected);
      assertThat(cut.held()).as("seed " + seed).isZero();
    }
  }

  private void read(byte[]... frames) {
    for (byte[] frame : frames) {
      reader.read(frame, 0, frame.length);
    }
  }

  private static byte[] text(int length) {
    return frame(0x81, new byte[length], 7);
  }

  @Test
  void messageThatIsTooBig_isToldOnce_andPassedOver_andWhatFollowsIsRead() {
    read(text(MAX_MESSAGE_BYTES + 1), text(1), frame(0x88, new byte[0], 1));
    assertThat(taken.told).containsExactly("too big", "text [0]", "control 8 []");
  }

  @Test
  void messageThatIsTooBigInFragments_isTold_beforeItsEnd() {
    byte[] half = new byte[MAX_MESSAGE_BYTES];
    read(frame(0x01, half, 1), frame(0x00, new byte[1], 2));
    assertThat(taken.told).containsExactly("too big");
    assertThat(reader.held()).isZero();
    read(frame(0x80, half, 3), text(2));
    assertThat(taken.told).containsExactly("too big", "text [0, 0]");
  }

  @Test
  void whatIsHeld_isWhatCameOfAMessage() {
    byte[] frame = text(10_000);
    reader.read(frame, 0, 5_000);
    assertThat(reader.held()).isEqualTo(5_000 - 8);
  }

  @ParameterizedTest
  @CsvSource({
    "a frame without a mask, 8101",
    "a reserved bit, c180",
    "a length that is negative, 81ffffffffffffffffff00000000",
    "a continuation of nothing, 8080",
    "a ping in fragments, 0980",
    "a ping that is long, 89fe007e",
    "a kind that there is not, 8380",
    "a control that there is not, 8b80"
  })
  void violation_isToldOnce_andNothingIsReadAfterIt(String what, String head) {
    byte[] bytes = java.util.HexFormat.of().parseHex(head);
    read(bytes, new byte[14], text(1), text(1));
    assertThat(taken.told).as(what).containsExactly("violation");
  }

  @ParameterizedTest
  @ValueSource(ints = {0x81, 0x82, 0x01})
  void messageWithinAnother_isAViolation(int first) {
    read(frame(0x01, "a".getBytes(StandardCharsets.US_ASCII), 5), frame(first, new byte[1], 6));
    assertThat(taken.told).containsExactly("violation");
  }
}
