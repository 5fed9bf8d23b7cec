package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Messages.end;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import sessiontree.event.Batch;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Sessions;
import sessiontree.sort.Cursor;
import sessiontree.store.Append;
import sessiontree.store.RunningClock;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;

/** The result of a request if the store gives none, or a late one. */
class PendingWritesTest {
  private static final Batch BEGIN = message(start(1));
  private static final Batch WHOLE = message(start(1), end(2));

  private final Deque<Append> appends = new ArrayDeque<>();
  private int opened;
  private boolean unreadable;

  private final RunningClock time = new RunningClock(() -> 0);
  private final PendingWrites pending =
      new PendingWrites(
          new Sessions(store(), Integer.MAX_VALUE, new Metrics()), Runnable::run, time);

  /** Returns a store that keeps nothing, and whose results the test gives. */
  private SessionStore store() {
    return (SessionStore)
        Proxy.newProxyInstance(
            SessionStore.class.getClassLoader(),
            new Class<?>[] {SessionStore.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "open" -> {
                    if (unreadable) {
                      throw new IOException("the database does not respond");
                    }
                    opened++;
                    yield new Stored();
                  }
                  case "openSessions" -> 0;
                  default -> throw new AssertionError(method);
                });
  }

  private final class Stored implements SessionStore.StoredSession {
    @Override
    public String version() {
      return null;
    }

    @Override
    public SessionState state() {
      return SessionState.NEW;
    }

    @Override
    public long lastNumber(String writer) {
      return 0;
    }

    @Override
    public int writers() {
      return 0;
    }

    @Override
    public Batch.Bound latest() {
      throw new AssertionError("nobody abandons it");
    }

    @Override
    public Cursor since(long children) {
      throw new AssertionError("nobody watches it");
    }

    @Override
    public void append(Append append) {
      appends.add(append);
    }
  }

  private CompletableFuture<PendingWrites.Outcome> post(Batch batch) throws Exception {
    return pending.post("a", null, new Message(0, batch, null), 0);
  }

  private void passTenSeconds() {
    pending.tick(TimeUnit.SECONDS.toNanos(11));
  }

  private static void assertUnavailable(
      CompletableFuture<PendingWrites.Outcome> asked, String detail) {
    assertThat(asked).isCompleted();
    ProblemException problem = asked.join().problem();
    assertThat(problem.problem()).isEqualTo(Problem.STORAGE_UNAVAILABLE);
    assertThat(problem.detail()).contains(detail);
  }

  private static void assertUnavailable(ThrowingCallable request, String detail) {
    assertThatThrownBy(request)
        .extracting(e -> e instanceof CompletionException ? e.getCause() : e)
        .isInstanceOfSatisfying(
            ProblemException.class,
            e -> {
              assertThat(e.problem()).isEqualTo(Problem.STORAGE_UNAVAILABLE);
              assertThat(e.detail()).contains(detail);
            });
  }

  private void stored() {
    Append.Callback response = appends.remove().callback();
    response.stored();
    response.flush();
  }

  @Test
  void postThatIsStored_isReportedAsStored_howeverOftenTimePasses() throws Exception {
    CompletableFuture<PendingWrites.Outcome> posted = post(WHOLE);
    pending.tick(0);
    assertThat(posted).isNotDone();
    stored();
    passTenSeconds();
    assertThat(posted.join()).isEqualTo(new PendingWrites.Outcome(2, true, null));
  }

  @Test
  void postWithoutAReply_saysThatNothingIsKnown() throws Exception {
    CompletableFuture<PendingWrites.Outcome> posted = post(WHOLE);
    passTenSeconds();
    assertUnavailable(posted, "not known whether the message is stored");
  }

  @Test
  void postThatHasWaitedForRoom_waitsForTheDiskForHalfTheTimeAtLeast() throws Exception {
    long nineSeconds = TimeUnit.SECONDS.toNanos(9);
    CompletableFuture<PendingWrites.Outcome> posted =
        pending.post("a", null, new Message(0, BEGIN, null), nineSeconds);
    pending.tick(TimeUnit.SECONDS.toNanos(5));
    assertThat(posted).isNotDone();
    pending.tick(TimeUnit.SECONDS.toNanos(6));
    assertUnavailable(posted, "it is not known whether the message is stored");
  }

  @Test
  void endWhoseTreeIsBeingMade_isReportedAsStored() throws Exception {
    CompletableFuture<PendingWrites.Outcome> posted = post(WHOLE);
    CompletableFuture<PendingWrites.Outcome> behind = post(BEGIN);
    appends.forEach(append -> append.callback().storedAwaitingTree());
    passTenSeconds();
    assertUnavailable(posted, "SESSION_END is stored, and the tree is still being made");
    assertThat(behind.join().problem().problem()).isEqualTo(Problem.SESSION_COMPLETE);
  }

  @Test
  void sessionWithALateReply_takesNoPosts_untilItHasCome_andIsReleasedThen() throws Exception {
    CompletableFuture<PendingWrites.Outcome> posted = post(BEGIN);
    passTenSeconds();
    assertUnavailable(posted, "not known");
    assertThatThrownBy(() -> post(BEGIN)).hasMessageContaining("the message was not stored");
    assertThat(appends).hasSize(1);
    stored();
    assertUnavailable(posted, "not known");

    CompletableFuture<PendingWrites.Outcome> next = post(BEGIN);
    assertThat(opened).as("the session was released").isEqualTo(2);
    stored();
    assertThat(next.join().problem()).isNull();
    post(BEGIN);
    assertThat(opened).as("once").isEqualTo(3);
  }

  @Test
  void deletionThatWaits_isReported_andLetsPostsWait() throws Exception {
    CompletableFuture<PendingWrites.Outcome> begun = post(BEGIN);
    CompletableFuture<PendingWrites.Outcome> unknown = pending.delete("a", null);
    CompletableFuture<PendingWrites.Outcome> behind = post(WHOLE);
    stored();
    passTenSeconds();
    assertThat(begun.join().problem()).isNull();
    assertUnavailable(unknown, "not known whether the session is deleted");
    assertUnavailable(behind, "not known");
  }

  @Test
  void messageBehindADeletion_isNotStoredLater_whenItsResponseSaidThatNothingIs() throws Exception {
    CompletableFuture<PendingWrites.Outcome> begun = post(BEGIN);
    stored();
    assertThat(begun).isCompleted();
    CompletableFuture<PendingWrites.Outcome> first = post(BEGIN);
    CompletableFuture<PendingWrites.Outcome> deleted = pending.delete("a", null);
    CompletableFuture<PendingWrites.Outcome> behind = post(WHOLE);
    stored();
    assertThat(first).isCompleted();
    appends.forEach(append -> append.callback().storedAwaitingTree());
    passTenSeconds();
    assertUnavailable(deleted, "the deletion is stored");
    assertUnavailable(behind, "the message was not stored: the session is still being deleted");
    stored();
    stored();
    assertThat(appends).isEmpty();
  }

  @Test
  void sessionThatCannotBeRead_isReportedAsUnchanged() {
    unreadable = true;
    assertUnavailable(() -> post(BEGIN), "the message was not stored");
    assertUnavailable(() -> pending.delete("a", null), "the session was not deleted");
  }

  @Test
  void messageForTheNextSessionOfTheId_whichCannotBeRead_isReportedAsNotStored() throws Exception {
    post(BEGIN);
    stored();
    post(BEGIN);
    pending.delete("a", null);
    CompletableFuture<PendingWrites.Outcome> behind = post(WHOLE);
    unreadable = true;
    stored();
    stored();
    stored();
    assertUnavailable(behind::join, "the message was not stored");
  }

  @Test
  void deletionThatFails_isReportedAsOne() throws Exception {
    CompletableFuture<PendingWrites.Outcome> begun = post(BEGIN);
    CompletableFuture<PendingWrites.Outcome> failed = pending.delete("a", null);
    stored();
    assertThat(begun).isCompleted();
    Append.Callback response = appends.remove().callback();
    response.failed();
    response.flush();
    assertUnavailable(failed, "nothing was changed");
  }
}
