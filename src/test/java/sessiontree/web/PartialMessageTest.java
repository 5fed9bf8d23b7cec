package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PartialMessageTest {
  private final PartialMessage message = new PartialMessage();

  @Test
  void parts_standOneBehindAnother_inMemoryOfAtMostTwiceTheirBytes() {
    for (long seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      byte[] sent = new byte[random.nextInt(20_000)];
      random.nextBytes(sent);
      message.clear();
      for (int at = 0; at < sent.length; ) {
        int length = Math.min(sent.length - at, 1 + random.nextInt(3_000));
        message.add(ByteBuffer.wrap(sent, at, length));
        at += length;
        assertThat(message.allocated()).as("seed " + seed).isLessThanOrEqualTo(2 * at + 256);
      }
      assertThat(Arrays.copyOf(message.array(), message.length()))
          .as("seed " + seed)
          .isEqualTo(sent);
    }
  }

  @Test
  void firstByte_takesOneByte_andNothingIsHeldBetweenMessages() {
    message.add(ByteBuffer.wrap(new byte[1]));
    assertThat(message.allocated()).isEqualTo(1);
    message.clear();
    assertThat(message.allocated()).isZero();
  }
}
