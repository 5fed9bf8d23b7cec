package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;
import sessiontree.sort.SessionBuffer;

class RunsTest {
  private static final Path DIRECTORY = Path.of("runs");

  private record Source(RunEntry state) implements Runs.Source {
    static Source of(String id) {
      return new Source(
          new RunEntry(id, 0, 4, 0, 4, 1, new Batch.Bound(1, "1"), null, Map.of(), 0, 0, 0, 0));
    }

    @Override
    public Cursor children() {
      return new SessionBuffer().sorted();
    }
  }

  /** The tombstones of its sessions may go when the purge is done. */
  @Test
  void fileThatSomebodyElseIsAboutToDelete_isGoneForGood_whenThePurgeIsDone() throws Exception {
    FaultyDisk disk = FaultyDisk.create(new Random(1));
    Runs runs = Runs.open(disk, DIRECTORY, Path.of("tmp"), 4, (entry, region) -> List.of());
    Runs.Written written = runs.write(List.of(Source.of("a"), Source.of("b")));
    runs.admit(written.file());
    runs.retire(written.regions().get(0));
    written.file().retire(written.regions().get(1)); // the last, and so it is to be deleted
    runs.purge(id -> null);
    assertThat(disk.losePower().list(DIRECTORY)).isEmpty();
  }
}
