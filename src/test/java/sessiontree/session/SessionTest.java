package sessiontree.session;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import sessiontree.Watching;
import sessiontree.event.Batch;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.store.MemoryStore;
import sessiontree.store.SessionState.Phase;

/** The rules of a session, over a store whose results come when the test says so. */
class SessionTest {
  private static final Batch START = message(start(100));
  private static final Batch EVENT = message(event(101, "x"));
  private static final Batch END = message(end(102));

  private final FakeStored stored = new FakeStored();
  private static final Sessions SESSIONS =
      new Sessions(MemoryStore.create(), Integer.MAX_VALUE, new Metrics());

  private final Session session = new Session("s", stored, SESSIONS);

  /** What replies and watchers were told, and which of them, in order; without the flushes. */
  private final List<String> results = new ArrayList<>();

  private int flushes;

  /** A reply that records what it is told. */
  private class RecordedReply implements Reply {
    private final String label;

    RecordedReply(String label) {
      this.label = label;
    }

    @Override
    public void stored(int messages, long entries, boolean complete) {
      String several = messages == 1 ? "" : messages + " messages, ";
      results.add(label + ": " + (complete ? "complete " : "stored ") + several + entries);
    }

    @Override
    public void refused(ProblemException problem) {
      String pointer = problem.pointer() == null ? "" : " " + problem.pointer();
      String fact =
          problem.factName() == null ? "" : " " + problem.factName() + " " + problem.fact();
      results.add(label + ": " + problem.problem().code() + pointer + fact);
    }

    @Override
    public void flush() {
      flushes++;
    }
  }

  private void submit(String label, Batch batch) {
    session.submit(null, false, List.of(new Message(0, batch, null)), new RecordedReply(label));
  }

  private void submit(String label, String writer, long number, Batch batch) {
    session.submit(
        writer, false, List.of(new Message(number, batch, null)), new RecordedReply(label));
  }

  private void submitConsecutive(String label, String writer, long number, Batch batch) {
    session.submit(
        writer, true, List.of(new Message(number, batch, null)), new RecordedReply(label));
  }

  private void sync(String writer) {
    session.sync(
        writer, (entries, messages) -> results.add("synced " + entries + " entries, " + messages));
  }

  /** Submits and stores batches, and clears what was told. */
  private void given(Batch... batches) {
    for (Batch batch : batches) {
      submit("given", batch);
    }
    stored.storeAll();
    results.clear();
  }

  @Test
  void event_behindAQueuedStart_isTaken_andHasItsResultWhenItIsDurable() {
    submit("start", START);
    submit("event", EVENT);
    assertThat(stored.queuedBatches()).isEqualTo(2);
    assertThat(results).isEmpty();

    stored.storeNext();
    assertThat(results).containsExactly("start: stored 1");
    stored.storeNext();
    assertThat(results).containsExactly("start: stored 1", "event: stored 2");
  }

  @Test
  void reply_isFollowedByAFlush() {
    submit("refused", EVENT);
    assertThat(flushes).isEqualTo(1);
    submit("start", START);
    stored.storeNext();
    assertThat(flushes).isEqualTo(2);
  }

  @Test
  void message_beforeTheStart_isRefused() {
    submit("event", EVENT);
    submit("end", END);
    submit("late", message(event(1, "x"), start(100)));
    assertThat(results)
        .containsExactly(
            "event: session_not_started /0",
            "end: session_not_started /0",
            "late: session_not_started /0");
    assertThat(stored.queued()).isZero();
  }

  @Test
  void wholeSession_mayBeOneMessage() {
    submit("all", message(start(100), event(101, "x"), end(102)));
    stored.storeAll();
    assertThat(results).containsExactly("all: complete 3");
  }

  @Test
  void duplicate_ofAQueuedMessage_hasItsResultWhenThatIsDurable_andNotStored() {
    given(START);
    submit("first", "w", 1, EVENT);
    submit("again", "w", 1, EVENT);
    assertThat(stored.queuedBatches()).isEqualTo(1);
    assertThat(results).isEmpty();

    stored.storeAll();
    assertThat(results).containsExactly("first: stored 2", "again: stored 2");
  }

  @Test
  void duplicate_ofAStoredMessage_hasItsResultAtOnce() {
    submit("first", "w", 1, START);
    stored.storeAll();
    submit("again", "w", 1, START);
    assertThat(results).containsExactly("first: stored 1", "again: stored 1");
    assertThat(stored.queued()).isZero();
  }

  @Test
  void duplicate_ofTheStoredEnd_saysThatTheSessionIsComplete() {
    submit("all", "w", 1, message(start(100), end(102)));
    submit("queued", "w", 1, message(start(100), end(102)));
    stored.storeAll();
    submit("again", "w", 1, message(start(100), end(102)));
    assertThat(results)
        .containsExactly("all: complete 2", "queued: complete 2", "again: complete 2");
  }

  @Test
  void duplicate_ofAMessageThatCouldNotBeStored_isRefusedToo_andTheNumberIsFree() {
    given(START);
    submit("first", "w", 1, EVENT);
    submit("again", "w", 1, EVENT);
    stored.failNext();
    assertThat(session.lastNumber("w")).isZero();
    stored.storeAll();
    submit("anew", "w", 1, EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "first: storage_unavailable", "again: storage_unavailable", "anew: stored 2");
  }

  @Test
  void sameNumber_ofAnotherWriter_isAnotherMessage() {
    given(START);
    submit("one", "w", 1, EVENT);
    submit("other", "W", 1, EVENT);
    stored.storeAll();
    assertThat(results).containsExactly("one: stored 2", "other: stored 3");
  }

  @Test
  void withoutAWriter_numbersMeanNothing() {
    given(START);
    submit("one", null, 1, EVENT);
    submit("other", null, 1, EVENT);
    stored.storeAll();
    assertThat(results).containsExactly("one: stored 2", "other: stored 3");
    assertThat(session.lastNumber(null)).isZero();
  }

  @Test
  void lastNumber_countsWhatIsQueued() {
    submit("start", "w", 4, START);
    assertThat(session.lastNumber("w")).isEqualTo(4);
    assertThat(session.lastNumber("other")).isZero();
  }

  @Test
  void refusal_comesAfterTheRepliesToWhatIsQueued() {
    submit("start", START);
    submit("other start", message(start(99)));
    submit("event", EVENT);
    assertThat(results).isEmpty();
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "start: stored 1", "other start: session_already_started /0", "event: stored 2");
  }

  /** A sender goes on while it is given a result; a later refusal must not overtake that one. */
  @Test
  void refusal_isNotGiven_whileAnEarlierReplyIsBeingGiven() {
    given(START);
    Reply slow =
        new RecordedReply("event") {
          @Override
          public void stored(int messages, long entries, boolean complete) {
            submit("other start", message(start(99)));
            super.stored(messages, entries, complete);
          }
        };
    session.submit(null, false, List.of(new Message(0, EVENT, null)), slow);
    stored.storeAll();
    assertThat(results)
        .containsExactly("event: stored 2", "other start: session_already_started /0");
  }

  @Test
  void refusal_isNotGiven_whileAnEarlierFailureIsBeingGiven() {
    given(START);
    Reply slow =
        new RecordedReply("event") {
          @Override
          public void refused(ProblemException problem) {
            submit("other start", message(start(99)));
            super.refused(problem);
          }
        };
    session.submit(null, false, List.of(new Message(0, EVENT, null)), slow);
    stored.failNext();
    stored.storeAll();
    assertThat(results)
        .containsExactly("event: storage_unavailable", "other start: session_already_started /0");
  }

  @Test
  void unreadableMessage_isRefusedInItsPlace_forItsOwnReason() {
    submit("start", "w", 1, START);
    ProblemException unreadable = new ProblemException(Problem.INVALID_ENTRY, "/2/name", "no");
    session.submit(
        "w", true, List.of(new Message(2, null, unreadable)), new RecordedReply("unreadable"));
    stored.storeAll();
    assertThat(results).containsExactly("start: stored 1", "unreadable: invalid_entry /2/name");
    assertThat(session.lastNumber("w")).isEqualTo(1);
  }

  @Test
  void startOfTheSameTimestamp_isARetry_andNotCounted() {
    given(START);
    submit("retry", message(start("1.00e2")));
    assertThat(results).containsExactly("retry: stored 1");
    assertThat(stored.queued()).isZero();

    submit("with more", message(start("100.0"), event(101, "x"), start(100), event(102, "y")));
    stored.storeAll();
    assertThat(results).containsExactly("retry: stored 1", "with more: stored 3");
    assertThat(stored.state().entries()).isEqualTo(3);
  }

  @Test
  void startOfTheSameTimestampAsAQueuedOne_isARetry_hasItsResultWhenThatIsDurable() {
    submit("start", START);
    submit("retry", START);
    assertThat(results).isEmpty();
    stored.storeAll();
    assertThat(results).containsExactly("start: stored 1", "retry: stored 1");
  }

  @Test
  void retriedStart_ofAWriter_isKeptUnderItsNumber() {
    given(START);
    submit("retry", "w", 1, START);
    stored.storeAll();
    assertThat(results).containsExactly("retry: stored 1");
    assertThat(stored.lastNumber("w")).isEqualTo(1);
  }

  /** Up to 10,000 writers must not be loaded for each message to a session that is not in use. */
  @Test
  void storedWriters_areAskedForByName() throws Exception {
    given(START);
    submit("first", "w", 1, EVENT);
    stored.storeAll();
    stored.askedFor().clear();
    Session loaded = new Session("s", stored, SESSIONS);
    assertThat(stored.askedFor()).isEmpty();
    Message retried = new Message(1, EVENT, null);
    Message next = new Message(2, EVENT, null);
    loaded.submit("w", false, List.of(retried, next), new RecordedReply("again"));
    stored.storeAll();
    assertThat(results).containsExactly("first: stored 2", "again: stored 2", "again: stored 3");
    assertThat(stored.askedFor()).containsOnly("w");
  }

  @Test
  void startOfAnotherTimestamp_isRefusedWithItsPlace() {
    given(START);
    submit("first", message(start(99)));
    submit("third", message(event(101, "x"), event(101, "x"), start(101)));
    submit("behind a retry", message(start(100), start(101)));
    assertThat(results)
        .containsExactly(
            "first: session_already_started /0",
            "third: session_already_started /2",
            "behind a retry: session_already_started /1");
    assertThat(stored.state().entries()).isEqualTo(1);
  }

  @Test
  void twoStartsOfDifferentTimestamps_areRefusedInANewSession() {
    submit("two in one", message(start(100), event(101, "x"), start("100.000000001")));
    assertThat(results).containsExactly("two in one: session_already_started /2");
    submit("start", START);
    stored.storeAll();
    assertThat(results).last().isEqualTo("start: stored 1");
  }

  @Test
  void message_behindTheEnd_isRefused_afterTheEndHasItsResult() {
    given(START);
    submit("end", END);
    submit("event", EVENT);
    submit("end again", END);
    assertThat(results).isEmpty();
    stored.storeAll();
    submit("later", EVENT);
    assertThat(results)
        .containsExactly(
            "end: complete 2",
            "event: session_complete",
            "end again: session_complete",
            "later: session_complete");
  }

  @Test
  void message_toASessionThatWasCompleteBefore_isRefused() {
    given(START, END);
    Session later = new Session("s", stored, SESSIONS);
    later.submit(null, false, List.of(new Message(0, EVENT, null)), new RecordedReply("event"));
    assertThat(results).containsExactly("event: session_complete");
  }

  @Test
  void watchers_areNotifiedOnce_afterTheReplyToTheEnd() {
    given(START);
    Session.Watcher gone = Watching.completion(entries -> results.add("gone: " + entries));
    session.watch(Watching.completion(entries -> results.add("one: " + entries)));
    session.watch(gone);
    session.watch(Watching.completion(entries -> results.add("other: " + entries)));
    session.unwatch(gone);
    submit("end", END);
    submit("behind", EVENT);
    assertThat(results).isEmpty();

    stored.storeAll();
    assertThat(results)
        .containsExactly("end: complete 2", "one: 2", "other: 2", "behind: session_complete");
  }

  @Test
  void watcher_ofACompleteSession_isNotifiedAtOnce() {
    given(START, END);
    session.watch(Watching.completion(entries -> results.add("late: " + entries)));
    new Session("s", stored, SESSIONS)
        .watch(Watching.completion(entries -> results.add("later: " + entries)));
    assertThat(results).containsExactly("late: 2", "later: 2");
  }

  @Test
  void watcher_isNotNotified_whenTheEndCouldNotBeStored_butWhenItIs() {
    given(START);
    session.watch(Watching.completion(entries -> results.add("watcher: " + entries)));
    submit("end", END);
    submit("behind", EVENT);
    stored.failNext();
    submit("event", EVENT);
    submit("end again", END);
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "end: storage_unavailable",
            "behind: storage_unavailable",
            "event: stored 2",
            "end again: complete 3",
            "watcher: 3");
  }

  @Test
  void afterAFailure_whatWasCheckedAgainstMoreIsRefused_andWhatComesThenIsStored() {
    given(START);
    submit("failing", "w", 1, EVENT);
    submit("old era", "w", 2, EVENT);
    stored.failNext();
    assertThat(session.lastNumber("w")).isZero();
    submit("new era", "w", 1, EVENT);
    stored.storeNext(); // the old era's, which is refused
    submit("next", "w", 2, EVENT); // follows the new era's: the old era's caused no fallback
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "failing: storage_unavailable",
            "old era: storage_unavailable",
            "new era: stored 2",
            "next: stored 3");
    assertThat(session.lastNumber("w")).isEqualTo(2);
  }

  @Test
  void afterAFailedStart_theSessionIsNew() {
    submit("start", START);
    submit("event", EVENT);
    stored.failNext();
    submit("no start", EVENT);
    submit("other start", message(start(99)));
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "start: storage_unavailable",
            "event: storage_unavailable",
            "no start: session_not_started /0",
            "other start: stored 1");
  }

  @Test
  void afterASecondFailure_theSessionFallsBackAgain() {
    given(START);
    for (int i = 0; i < 3; i++) {
      submit("failing", EVENT);
      submit("behind", EVENT);
      stored.failNext();
      stored.storeAll();
    }
    submit("event", EVENT);
    stored.storeAll();
    assertThat(results).hasSize(7).last().isEqualTo("event: stored 2");
  }

  @Test
  void sync_returnsWhatIsStored_whenWhatWasQueuedIsDurable() {
    sync("w");
    submit("start", "w", 1, START);
    submit("event", "w", 2, EVENT);
    sync("w");
    sync("other");
    sync(null);
    submit("later", "w", 3, EVENT);
    assertThat(results).containsExactly("synced 0 entries, 0");

    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "synced 0 entries, 0",
            "start: stored 1",
            "event: stored 2",
            "synced 2 entries, 2",
            "synced 2 entries, 0",
            "synced 2 entries, 0",
            "later: stored 3");
  }

  @Test
  void sync_triesAgain_afterAFailure_andReturnsWhatIsStoredThen() {
    given(START);
    submit("failing", "w", 1, EVENT);
    sync("w");
    stored.failNext();
    submit("new era", "w", 1, message(event(1, "a"), event(2, "b")));
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "failing: storage_unavailable", "new era: stored 3", "synced 3 entries, 1");
  }

  @Test
  void sync_behindAnEndThatFails_returnsWhatIsStored() {
    given(START);
    submit("end", END);
    sync(null);
    stored.failNext();
    stored.storeAll();
    assertThat(results).containsExactly("end: storage_unavailable", "synced 1 entries, 0");
  }

  @Test
  void sync_afterAFailureOfAllThatWasQueued_returnsWhatIsLeft() {
    given(START);
    submit("failing", "w", 1, EVENT);
    sync("w");
    stored.failNext();
    stored.failNext();
    stored.storeAll();
    assertThat(results).containsExactly("failing: storage_unavailable", "synced 1 entries, 0");
  }

  @Test
  void sync_ofASessionThatHasEnded_hasNoResult_asItsWatchersAreNotified() {
    given(START);
    session.watch(Watching.completion(entries -> results.add("watcher: " + entries)));
    submit("end", END);
    sync(null);
    stored.storeAll();
    sync(null);
    assertThat(results).containsExactly("end: complete 2", "watcher: 2");
  }

  @Test
  void damagedSession_isRefused_notifiesItsWatchers_andCanBeDeleted() {
    given(START);
    session.watch(Watching.damage(() -> results.add("watcher: damaged")));
    submit("end", "w", 1, END);
    submit("behind", EVENT);
    stored.holdNext();
    stored.giveNoTree(Phase.DAMAGED);
    stored.storeAll();
    for (Session one : List.of(session, new Session("s", stored, SESSIONS))) {
      one.watch(Watching.damage(() -> results.add("late: damaged")));
      one.submit("w", true, List.of(new Message(1, END, null)), new RecordedReply("again"));
      one.submit(null, false, List.of(new Message(0, EVENT, null)), new RecordedReply("event"));
      one.sync(null, (entries, messages) -> results.add("synced"));
    }
    assertThat(results)
        .containsExactly(
            "end: storage_unavailable",
            "watcher: damaged",
            "behind: session_complete",
            "late: damaged",
            "again: storage_unavailable",
            "event: storage_unavailable",
            "late: damaged",
            "again: storage_unavailable",
            "event: storage_unavailable");
    results.clear();
    session.delete(null, new RecordedReply("deletion"));
    stored.storeAll();
    assertThat(results).containsExactly("deletion: stored 2");
  }

  /** The result of the end is lost, so nobody waits for the tree until the store says more. */
  @Test
  void watcher_isNotifiedOfAnEndWhoseResultWasLost_onceTheSessionIsSaidToHaveChanged() {
    given(START);
    session.watch(Watching.of(entries -> results.add("completed " + entries), () -> {}));
    submit("end", END);
    stored.loseNext();
    results.clear();
    session.changed();
    session.changed();
    stored.storeAll();
    assertThat(results).containsExactly("completed 2");
  }

  @Test
  void deletion_doesNotWaitForATree() {
    given(START);
    submit("end", END);
    stored.holdNext();
    session.watch(Watching.of(entries -> results.add("completed"), () -> results.add("deleted")));
    sync(null);
    session.delete(null, new RecordedReply("deletion"));
    assertThat(stored.queued()).as("the end and the deletion").isEqualTo(2);
    stored.giveNoTree(Phase.ENDED);
    stored.storeAll();
    assertThat(results).containsExactly("end: session_deleted", "deletion: stored 2", "deleted");
  }

  @Test
  void sync_onceTheDeletionIsStored_appendsNothing() {
    given(START);
    session.delete(
        null,
        new RecordedReply("deletion") {
          @Override
          public void stored(int messages, long entries, boolean complete) {
            sync(null);
            super.stored(messages, entries, complete);
          }
        });
    stored.storeNext();
    assertThat(stored.queued()).isZero();
    assertThat(results).containsExactly("deletion: stored 1");
  }

  @Test
  void writer_beyondTheLimit_isRefused_andThoseThereGoOn() {
    given(START);
    for (int i = 0; i < Session.MAX_WRITERS; i++) {
      submit("writer", "w" + i, 1, EVENT);
    }
    stored.storeAll();
    assertThat(results).hasSize(10_000).allMatch(line -> line.startsWith("writer: stored"));

    results.clear();
    submit("10,001st", "one more", 1, EVENT);
    submit("there already", "w7", 2, EVENT);
    submit("nameless", EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "10,001st: too_many_writers", "there already: stored 10002", "nameless: stored 10003");
    assertThat(session.lastNumber("one more")).isZero();
  }

  @Test
  void numberThatSkipsOne_isRefusedWithTheExpected_whereNumbersAreConsecutive() {
    submitConsecutive("second", "w", 2, START);
    submitConsecutive("first", "w", 1, START);
    submitConsecutive("third", "w", 3, EVENT);
    submitConsecutive("second", "w", 2, EVENT);
    submitConsecutive("other's second", "v", 2, EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "second: message_out_of_order expected 1",
            "first: stored 1",
            "third: message_out_of_order expected 2",
            "second: stored 2",
            "other's second: message_out_of_order expected 1");
  }

  @Test
  void numberThatSkipsOne_isTaken_whereRefusedMessagesAreCounted() {
    submit("second", "w", 2, START);
    submit("fifth", "w", 5, EVENT);
    stored.storeAll();
    assertThat(results).containsExactly("second: stored 1", "fifth: stored 2");
    assertThat(session.lastNumber("w")).isEqualTo(5);
  }

  @Test
  void refusedMessage_isNotKeptUnderItsNumber() {
    submitConsecutive("too early", "w", 1, EVENT);
    assertThat(session.lastNumber("w")).isZero();
    submitConsecutive("again", "w", 1, START);
    submitConsecutive("refused while queued", "w", 2, message(start(99)));
    submitConsecutive("again", "w", 2, EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "too early: session_not_started /0",
            "again: stored 1",
            "refused while queued: session_already_started /0",
            "again: stored 2");
  }

  private void submitTogether(String writer, long first, Batch... batches) {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < batches.length; i++) {
      ProblemException unreadable =
          batches[i] == null ? new ProblemException(Problem.INVALID_JSON, "unreadable") : null;
      messages.add(new Message(first + i, batches[i], unreadable));
    }
    session.submit(writer, false, messages, new RecordedReply("m"));
  }

  @Test
  void messagesThatCameTogether_areOneAppend_andHaveTheirResultsAtOnce() {
    submitTogether(null, 1, START, EVENT, EVENT);
    assertThat(stored.queuedBatches()).isEqualTo(1);
    stored.storeAll();
    assertThat(results).containsExactly("m: stored 3 messages, 3");
    assertThat(flushes).isEqualTo(1);
  }

  @Test
  void refusalAmongMessagesThatCameTogether_isGivenInItsPlace_andTheOthersAreStored() {
    submitTogether("w", 1, START, EVENT, null, EVENT, EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly("m: stored 2 messages, 2", "m: invalid_json", "m: stored 2 messages, 4");
    assertThat(session.lastNumber("w")).isEqualTo(5);
  }

  @Test
  void refusalBeforeMessagesThatCameTogether_isSentFirst() {
    submitTogether(null, 1, EVENT, START, EVENT);
    assertThat(results).containsExactly("m: session_not_started /0");
    stored.storeAll();
    assertThat(results).containsExactly("m: session_not_started /0", "m: stored 2 messages, 2");
  }

  @Test
  void messagesThatWereStoredBefore_amongThoseThatCameTogether_areNotStoredAgain() {
    submitTogether("w", 1, START, EVENT);
    submitTogether("w", 1, START, EVENT, EVENT);
    stored.storeAll();
    assertThat(results)
        .containsExactly("m: stored 2 messages, 2", "m: stored 2", "m: stored 2", "m: stored 3");
  }

  @Test
  void messagesBehindTheEnd_ofThoseThatCameTogether_areRefused() {
    submitTogether(null, 1, START, EVENT, END, EVENT);
    stored.storeAll();
    assertThat(results).containsExactly("m: complete 3 messages, 3", "m: session_complete");
  }

  @Test
  void startThatIsRepeated_amongMessagesThatCameTogether_isNotCounted() {
    submitTogether("w", 1, START, START, EVENT);
    stored.storeAll();
    assertThat(results).containsExactly("m: stored 3 messages, 2");
  }

  @Test
  void messagesThatCameTogether_andCouldNotBeStored_areEachRefused() {
    given(START);
    submitTogether("w", 1, EVENT, EVENT);
    stored.failNext();
    assertThat(results).containsExactly("m: storage_unavailable", "m: storage_unavailable");
    assertThat(session.lastNumber("w")).isZero();
  }

  @Test
  void deletion_ofAnotherTag_isRefused_andWhileThereIsNone() {
    given(START);
    session.delete("COMPLETE-2", new RecordedReply("open"));
    submit("end", END);
    session.delete("COMPLETE-2", new RecordedReply("ended"));
    stored.storeAll();
    session.delete("COMPLETE-1", new RecordedReply("other"));
    session.delete("COMPLETE-2", new RecordedReply("same"));
    session.delete("COMPLETE-2", new RecordedReply("again"));
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "open: precondition_failed",
            "ended: precondition_failed",
            "end: complete 2",
            "other: precondition_failed",
            "again: session_not_found",
            "same: complete 2");
  }

  /** The stored version is still the one that was seen, but the queued message will change it. */
  @Test
  void abandonment_whileAMessageIsQueued_isRefused() {
    given(START);
    String seen = stored.version();
    submit("event", EVENT);
    session.abandon(seen, new RecordedReply("abandonment"));
    stored.storeAll();
    session.abandon(seen, new RecordedReply("late"));
    session.abandon(stored.version(), new RecordedReply("now"));
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "abandonment: session_in_progress",
            "event: stored 2",
            "late: session_in_progress",
            "now: complete 3");
  }

  @Test
  void session_goesOnWithWhatIsStored() {
    submit("start", "w", 3, START);
    stored.storeAll();
    results.clear();
    Session later = new Session("s", stored, SESSIONS);
    assertThat(later.lastNumber("w")).isEqualTo(3);
    later.submit("w", false, List.of(new Message(3, EVENT, null)), new RecordedReply("duplicate"));
    later.submit(
        null,
        false,
        List.of(new Message(0, message(start(99)), null)),
        new RecordedReply("other start"));
    later.submit("w", false, List.of(new Message(4, EVENT, null)), new RecordedReply("event"));
    stored.storeAll();
    assertThat(results)
        .containsExactly(
            "duplicate: stored 1", "other start: session_already_started /0", "event: stored 2");
  }
}
