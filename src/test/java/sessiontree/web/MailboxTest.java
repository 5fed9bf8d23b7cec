package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import sessiontree.session.Message;

class MailboxTest {
  private static final int BYTES = 100;

  private Mailbox mailbox = new Mailbox();

  /** Bursts whose results are still to come. */
  private final Queue<Mailbox.Burst> bursts = new ArrayDeque<>();

  private void receive(long number, int bytes) {
    mailbox.add(new Message(number, null, null), bytes);
    submit();
  }

  private void submit() {
    for (Mailbox.Burst next = mailbox.next(); next != null; next = mailbox.next()) {
      assertThat(mailbox.next()).as("one burst is submitted at a time").isNull();
      bursts.add(next);
      mailbox.submitted();
    }
  }

  private static List<Long> numbers(Mailbox.Burst burst) {
    return burst.messages().stream().map(Message::number).toList();
  }

  @Test
  void loneMessage_isSubmittedAtOnce_andThoseBehindItTogetherWhenItHasItsResult() {
    receive(1, BYTES);
    receive(2, BYTES);
    receive(3, BYTES);

    assertThat(numbers(bursts.remove())).containsExactly(1L);
    assertThat(bursts).isEmpty();
    mailbox.settled();
    submit();
    assertThat(numbers(bursts.peek())).containsExactly(2L, 3L);
    assertThat(bursts.peek().bytes()).isEqualTo(2 * BYTES);
  }

  @Test
  void manyBytes_areSubmitted_whileABurstIsBeingStored() {
    receive(1, BYTES);
    receive(2, Mailbox.MANY_BYTES - 1);
    assertThat(bursts).hasSize(1);
    receive(3, 1);
    assertThat(bursts).hasSize(2);
    receive(4, BYTES);
    assertThat(bursts).hasSize(2);
  }

  @Test
  void everyMessage_isSubmittedOnce_inOrder_whateverComesBetween() {
    for (int seed = 0; seed < 2_000; seed++) {
      mailbox = new Mailbox();
      Random random = new Random(seed);
      int count = 1 + random.nextInt(60);
      long received = 0;
      long bytes = 0;
      List<Long> order = new ArrayList<>();
      while (received < count || !bursts.isEmpty()) {
        if (received < count && (bursts.isEmpty() || random.nextInt(3) > 0)) {
          int size = random.nextInt(10) == 0 ? Mailbox.MANY_BYTES : 1 + random.nextInt(500);
          receive(++received, size);
          bytes += size;
        } else {
          Mailbox.Burst next = bursts.remove();
          order.addAll(numbers(next));
          bytes -= next.bytes();
          mailbox.settled();
          submit();
        }
      }
      assertThat(order)
          .as("seed %d", seed)
          .isEqualTo(LongStream.rangeClosed(1, count).boxed().toList());
      assertThat(bytes).as("seed %d", seed).isZero();
    }
  }
}
