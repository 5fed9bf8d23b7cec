package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import sessiontree.event.Batch;

/** What a folder's run files tell about a session. */
class LocalSessionTest {
  private final LocalSession session = new LocalSession(null, "a", null);

  /**
   * Loads a run of the records after {@code fromLsn} up to {@code lsn}, when the session had {@code
   * entries} entries.
   */
  private void load(long fromLsn, long lsn, long entries, int children) {
    RunEntry entry =
        new RunEntry(
            "a",
            fromLsn,
            lsn,
            0,
            lsn,
            entries,
            new Begin(new Batch.Bound(1, "1"), 5),
            null,
            Map.of(),
            0,
            0,
            children,
            0);
    session.load(entry, new Region(null, lsn, 0, 0, children, 0));
  }

  @Test
  void runsThatFollowEachOther_areAll() {
    load(0, 4, 8, 7);
    load(4, 9, 10, 2);
    assertThat(session.hasAllRuns()).isTrue();
  }

  @Test
  void runOfADeletedSession_isNotTakenForOneThatIsGone_thoughItHasAsManyChildren() {
    load(0, 4, 8, 7); // of the deleted session
    load(9, 12, 10, 2); // of the new session, whose run up to record 9 is gone, as it has a tree
    assertThat(session.hasAllRuns()).isFalse();
  }

  @Test
  void runOfADeletedSession_doesNotCount_beforeAllRunsOfTheNewOne() {
    load(0, 4, 5, 4);
    load(0, 9, 8, 7);
    load(9, 12, 10, 2);
    assertThat(session.hasAllRuns()).isTrue();
  }
}
