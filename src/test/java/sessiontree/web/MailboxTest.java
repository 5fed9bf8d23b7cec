package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.session.Message;
import sessiontree.session.Reply;

class MailboxTest {
  private static final int BYTES = 100;

  /** A submission that waits for its results. */
  private record Submitted(List<Message> messages, Reply reply) {
    List<Long> numbers() {
      return messages.stream().map(Message::number).toList();
    }
  }

  private final Queue<Submitted> submissions = new ArrayDeque<>();
  private final List<String> results = new ArrayList<>();
  private int settled;
  private long freed;
  private Mailbox mailbox;

  @BeforeEach
  void open() {
    mailbox =
        new Mailbox(
            new Mailbox.Owner() {
              @Override
              public void submit(List<Message> messages, int bytes, Reply reply) {
                submissions.add(new Submitted(messages, reply));
              }

              @Override
              public void acknowledge(int messages, long entries, int freedBytes) {
                results.add("stored " + messages);
                freed += freedBytes;
              }

              @Override
              public void refuse(ProblemException problem, int freedBytes) {
                results.add("refused");
                freed += freedBytes;
              }

              @Override
              public void giveUp(int freedBytes) {
                results.add("unknown");
                freed += freedBytes;
              }

              @Override
              public void flush() {}

              @Override
              public void settled(int messages) {
                settled += messages;
              }
            });
  }

  private void receive(long number, int bytes) {
    mailbox.add(new Message(number, null, null), bytes);
    mailbox.submit();
  }

  private static ProblemException refusal() {
    return new ProblemException(Problem.INVALID_JSON, "not JSON");
  }

  @Test
  void loneMessage_isSubmittedAtOnce_andThoseBehindItTogetherWhenItHasItsResult() {
    receive(1, BYTES);
    receive(2, BYTES);
    receive(3, BYTES);

    Submitted first = submissions.remove();
    assertThat(first.numbers()).containsExactly(1L);
    assertThat(submissions).isEmpty();
    first.reply().stored(1, 2, false);
    assertThat(submissions).isEmpty();
    first.reply().flush();
    assertThat(submissions.remove().numbers()).containsExactly(2L, 3L);
    assertThat(settled).isOne();
    assertThat(freed).isEqualTo(BYTES);
  }

  @Test
  void manyBytes_areSubmitted_whileASubmissionIsBeingStored() {
    receive(1, BYTES);
    receive(2, Mailbox.MANY_BYTES - 1);
    assertThat(submissions).hasSize(1);
    receive(3, 1);
    assertThat(submissions).hasSize(2);
    receive(4, BYTES);
    assertThat(submissions).hasSize(2);
  }

  @Test
  void bytes_areFreed_whenTheLastMessageOfASubmissionHasItsResult() {
    receive(1, BYTES);
    receive(2, BYTES);
    receive(3, BYTES);
    submissions.peek().reply().stored(1, 2, false);
    submissions.remove().reply().flush();
    Reply reply = submissions.remove().reply();

    reply.refused(refusal());
    reply.flush(); // the rest is still being stored
    assertThat(settled).isOne();
    assertThat(freed).isEqualTo(BYTES);
    reply.unknown(refusal());
    reply.flush();
    assertThat(settled).isEqualTo(3);
    assertThat(freed).isEqualTo(3 * BYTES);
    assertThat(results).containsExactly("stored 1", "refused", "unknown");
  }

  @Test
  void everyMessage_isSubmittedOnce_inOrder_whateverComesBetween() {
    for (int seed = 0; seed < 2_000; seed++) {
      open();
      submissions.clear();
      settled = 0;
      freed = 0;
      Random random = new Random(seed);
      int count = 1 + random.nextInt(60);
      long received = 0;
      long bytes = 0;
      List<Long> order = new ArrayList<>();
      while (received < count || !submissions.isEmpty()) {
        if (received < count && (submissions.isEmpty() || random.nextInt(3) > 0)) {
          int size = random.nextInt(10) == 0 ? Mailbox.MANY_BYTES : 1 + random.nextInt(500);
          receive(++received, size);
          bytes += size;
        } else {
          Submitted next = submissions.remove();
          order.addAll(next.numbers());
          resolve(next, random);
        }
      }
      assertThat(order)
          .as("seed %d", seed)
          .isEqualTo(LongStream.rangeClosed(1, count).boxed().toList());
      assertThat(settled).as("seed %d", seed).isEqualTo(count);
      assertThat(freed).as("seed %d", seed).isEqualTo(bytes);
    }
  }

  /** Gives the results in parts, some of them followed by a flush. */
  private static void resolve(Submitted submitted, Random random) {
    for (int left = submitted.messages().size(); left > 0; ) {
      int part = 1 + random.nextInt(left);
      if (part > 1 || random.nextBoolean()) {
        submitted.reply().stored(part, 1, false);
      } else {
        submitted.reply().refused(refusal());
      }
      left -= part;
      if (left == 0 || random.nextBoolean()) {
        submitted.reply().flush();
      }
    }
  }
}
