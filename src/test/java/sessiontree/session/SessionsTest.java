package sessiontree.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.PartialTree;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

class SessionsTest {
  private final FakeStore store = new FakeStore();
  private final Sessions sessions = new Sessions(store, Integer.MAX_VALUE, new Metrics());

  /** A store that counts the sessions it opens. It can be told to open one slowly, or none. */
  private static final class FakeStore implements SessionStore {
    private final AtomicInteger opened = new AtomicInteger();
    private final CountDownLatch opening = new CountDownLatch(1);
    private final CountDownLatch mayOpen = new CountDownLatch(1);
    private volatile boolean broken;
    private volatile String slow;

    @Override
    public StoredSession open(String id) throws IOException {
      if (id.equals(slow)) {
        opening.countDown();
        try {
          mayOpen.await();
        } catch (InterruptedException e) {
          throw new IOException(e);
        }
      }
      if (broken) {
        throw new IOException("broken");
      }
      opened.incrementAndGet();
      return new FakeStored();
    }

    @Override
    public SessionState state(String id) {
      return SessionState.NEW;
    }

    @Override
    public Optional<Tree> tree(String id) {
      return Optional.empty();
    }

    @Override
    public Optional<PartialTree> partial(String id) {
      return Optional.empty();
    }

    @Override
    public int openSessions() {
      return 0;
    }

    @Override
    public boolean healthy() {
      return true;
    }

    @Override
    public void close() {}
  }

  @Test
  void session_isOne_whileItIsInUse() throws Exception {
    Session first = sessions.acquire("a");
    Session second = sessions.acquire("a");
    sessions.release(first);
    Session third = sessions.acquire("a");
    assertThat(second).isSameAs(first);
    assertThat(third).isSameAs(first);
    assertThat(first.id()).isEqualTo("a");
    assertThat(store.opened).hasValue(1);
  }

  @Test
  void session_isForgotten_whenTheLastHasReleasedIt() throws Exception {
    Session first = sessions.acquire("a");
    sessions.acquire("a");
    sessions.release(first);
    sessions.release(first);
    assertThat(sessions.acquire("a")).isNotSameAs(first);
    assertThat(store.opened).hasValue(2);
  }

  @Test
  void idsThatDifferInCase_areDifferentSessions() throws Exception {
    assertThat(sessions.acquire("a")).isNotSameAs(sessions.acquire("A"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "..", "a/b", "a b", "é", "a+b", "a\u0000", "%2e"})
  void invalidId_isRefused(String id) {
    assertInvalid(id);
    assertThat(store.opened).hasValue(0);
  }

  @Test
  void id_ofMoreThan128Characters_isRefused() throws Exception {
    assertInvalid("a".repeat(129));
    assertThat(sessions.acquire("a".repeat(128)).id()).hasSize(128);
  }

  private void assertInvalid(String id) {
    assertThatExceptionOfType(ProblemException.class)
        .isThrownBy(() -> sessions.acquire(id))
        .extracting(ProblemException::problem)
        .isEqualTo(Problem.INVALID_SESSION_ID);
  }

  @Test
  void storeThatCannotOpenASession_isAskedAgain() throws Exception {
    store.broken = true;
    assertThatIOException().isThrownBy(() -> sessions.acquire("a")).withMessage("broken");
    store.broken = false;
    assertThat(sessions.acquire("a")).isNotNull();
  }

  /** Among a thousand ids, some share a bin with the slow one in any hash map. */
  @Test
  void sessionThatIsBeingOpened_holdsUpThoseOfItsIdOnly_andIsOpenedOnce() throws Exception {
    store.slow = "slow";
    ExecutorService executor = Executors.newFixedThreadPool(2);
    try {
      Future<Session> one = executor.submit(() -> sessions.acquire("slow"));
      store.opening.await();
      Future<Session> other = executor.submit(() -> sessions.acquire("slow"));
      for (int i = 0; i < 1_000; i++) {
        sessions.release(sessions.acquire("s" + i));
      }
      assertThat(one.isDone() || other.isDone()).isFalse();
      store.mayOpen.countDown();
      assertThat(one.get(60, TimeUnit.SECONDS)).isSameAs(other.get(60, TimeUnit.SECONDS));
      assertThat(store.opened).hasValue(1_001);
    } finally {
      store.mayOpen.countDown();
      executor.shutdownNow();
    }
  }

  @Test
  void sessionThatCannotBeOpened_isAnErrorForAllWhoWait_andForNobodyLater() throws Exception {
    store.slow = "slow";
    store.broken = true;
    ExecutorService executor = Executors.newFixedThreadPool(2);
    try {
      Future<Session> one = executor.submit(() -> sessions.acquire("slow"));
      store.opening.await();
      Future<Session> other = executor.submit(() -> sessions.acquire("slow"));
      store.mayOpen.countDown();
      assertThat(one)
          .failsWithin(60, TimeUnit.SECONDS)
          .withThrowableThat()
          .withMessageContaining("broken");
      assertThat(other)
          .failsWithin(60, TimeUnit.SECONDS)
          .withThrowableThat()
          .withMessageContaining("broken");
      store.broken = false;
      assertThat(sessions.acquire("slow")).isNotNull();
    } finally {
      store.mayOpen.countDown();
      executor.shutdownNow();
    }
  }

  /** A session, and the number of threads that are using it. */
  private record Held(Session session, int threads) {}

  @Test
  void manyThreads_neverHaveTwoOfOneId() throws Exception {
    Map<String, Held> held = new ConcurrentHashMap<>();
    ExecutorService executor = Executors.newFixedThreadPool(4);
    try {
      List<Future<Void>> done = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        done.add(
            executor.submit(
                () -> {
                  for (int i = 0; i < 20_000; i++) {
                    String id = "s" + i % 3;
                    Session session = sessions.acquire(id);
                    Held now =
                        held.compute(
                            id,
                            (k, by) ->
                                by == null
                                    ? new Held(session, 1)
                                    : new Held(by.session, by.threads + 1));
                    assertThat(now.session).isSameAs(session);
                    held.compute(
                        id, (k, by) -> by.threads == 1 ? null : new Held(session, by.threads - 1));
                    sessions.release(session);
                  }
                  return null;
                }));
      }
      for (Future<Void> one : done) {
        one.get(60, TimeUnit.SECONDS);
      }
    } finally {
      executor.shutdownNow();
    }
    assertThat(store.opened).hasValueGreaterThanOrEqualTo(3);
  }
}
