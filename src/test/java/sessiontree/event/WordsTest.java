package sessiontree.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WordsTest {
  private static final int MOST = 80;

  @Test
  void copy_ofAnyLength_anywhere_isRight_andHarmsOnlyTheNextSevenBytes() {
    Random random = new Random(1);
    byte[] from = new byte[MOST + 20];
    random.nextBytes(from);
    for (int length = 0; length <= MOST; length++) {
      for (int room = 0; room <= 2 * Long.BYTES; room++) {
        int offset = random.nextInt(from.length - length + 1);
        byte[] to = new byte[3 + length + room];
        Words.copy(from, offset, to, 3, length);
        String what = length + " bytes at " + offset + " with " + room + " behind";
        assertThat(Arrays.copyOf(to, 3)).as(what).containsOnly(0);
        assertThat(Arrays.copyOfRange(to, 3, 3 + length))
            .as(what)
            .isEqualTo(Arrays.copyOfRange(from, offset, offset + length));
        int safe = Math.min(to.length, 3 + length + Long.BYTES - 1);
        assertThat(Arrays.copyOfRange(to, safe, to.length))
            .as(what)
            .isEqualTo(new byte[to.length - safe]);
      }
    }
  }
}
