package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.sort.SessionBuffer;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.FaultyDisk;

class RunsTest {
  private static final Path DIRECTORY = Path.of("runs");

  private record Source(RunEntry state) implements Runs.Source {
    static Source of(String id) {
      return of(id, 0, 4);
    }

    static Source of(String id, long fromLsn, long lsn) {
      Begin start = new Begin(new Batch.Bound(1, "1"), lsn);
      return new Source(
          new RunEntry(id, fromLsn, lsn, 0, lsn, 1, start, null, Map.of(), 0, 0, 0, 0));
    }

    @Override
    public Cursor children() {
      return new SessionBuffer().sorted();
    }
  }

  private static void spill(Runs runs, LocalSession session, long lsn) throws IOException {
    Source source = Source.of(session.id(), session.covered(), lsn);
    Runs.Written written = runs.write(List.of(source));
    session.load(source.state(), written.regions().get(0));
    runs.admit(written.file());
  }

  @Test
  void filesThatWereMerged_areNotFoundAgain_whateverOfTheirDeletionWasLost() throws Exception {
    for (int seed = 0; seed < 50; seed++) {
      FaultyDisk disk = FaultyDisk.create(new Random(seed));
      LocalSession session = new LocalSession(null, "a", null);
      Runs runs = Runs.open(disk, DIRECTORY, Path.of("tmp"), 2, (entry, region) -> List.of());
      spill(runs, session, 3);
      spill(runs, session, 5);
      assertThat(runs.mergeDue()).as("at the fan-in").isNull();
      spill(runs, session, 6);
      Runs.Merge merge = runs.mergeDue();
      spill(runs, session, 8); // while the others are merged
      runs.merge(merge, id -> session);
      assertThat(runs.count()).isEqualTo(2);

      List<String> found = new ArrayList<>();
      Runs.open(
          disk.losePower(),
          DIRECTORY,
          Path.of("tmp"),
          2,
          (entry, region) -> {
            found.add(entry.fromLsn() + " to " + entry.lsn());
            return List.of();
          });
      assertThat(found).as("seed " + seed).containsExactly("0 to 6", "6 to 8");
    }
  }

  /** Once the purge is done, the tombstones of the file's sessions may be deleted. */
  @Test
  void fileThatSomebodyElseIsAboutToDelete_isGoneForGood_whenThePurgeIsDone() throws Exception {
    FaultyDisk disk = FaultyDisk.create(new Random(1));
    Runs runs = Runs.open(disk, DIRECTORY, Path.of("tmp"), 4, (entry, region) -> List.of());
    Runs.Written written = runs.write(List.of(Source.of("a"), Source.of("b")));
    runs.admit(written.file());
    runs.retire(written.regions().get(0));
    written.file().retire(written.regions().get(1)); // the last one: the file is to be deleted
    runs.purge(id -> null);
    assertThat(disk.losePower().list(DIRECTORY)).isEmpty();
  }

  /** A merge holds one large child in memory at a time, and checks children that it skips too. */
  @Test
  void childrenLargerThanTheBuffer_areReadAsTheyWereWritten_orPassedOver() throws Exception {
    FaultyDisk disk = FaultyDisk.create(new Random(1));
    Runs runs = Runs.open(disk, DIRECTORY, Path.of("tmp"), 4, (entry, region) -> List.of());
    int[] lengths = {3, 300_000, 0, 7_000, 8_180, 8_192, 700_000, 1, 900_000};
    List<Region> regions = new ArrayList<>();
    for (int run = 0; run < 3; run++) {
      SessionBuffer buffer = new SessionBuffer();
      for (int i = 0; i < lengths.length; i++) {
        byte[] child = new byte[Children.HEADER_BYTES + lengths[i]];
        Arrays.fill(child, (byte) (10 * run + i));
        Children.putHeader(child, 0, 3 * i + run, lengths[i]);
        buffer.add(child, 1);
      }
      Runs.Written written =
          runs.write(List.of(new Filled(Source.of("a", 4 * run, 4 * run + 4).state(), buffer)));
      regions.addAll(written.regions());
    }

    Cursor merged = Runs.read(regions);
    for (int key = 0; key < 3 * lengths.length; key++) {
      assertThat(merged.next()).isTrue();
      assertThat(merged.key()).isEqualTo(key);
      assertThat(merged.length()).isEqualTo(lengths[key / 3]);
      if (key % 4 != 3) {
        byte[] expected = new byte[lengths[key / 3]];
        Arrays.fill(expected, (byte) (10 * (key % 3) + key / 3));
        byte[] array = merged.array();
        int from = merged.offset();
        assertThat(Arrays.copyOfRange(array, from, from + merged.length())).isEqualTo(expected);
      }
    }
    assertThat(merged.next()).isFalse();

    Region region = regions.get(0);
    for (int bufferBytes : new int[] {1, 4 << 10, 8 << 10, 8 << 20}) {
      Cursor passed = region.file().read(region, bufferBytes);
      for (int i = 0; i < lengths.length; i++) {
        assertThat(passed.next()).isTrue();
      }
      assertThat(passed.next()).isFalse();
    }
    Region other =
        new Region(
            region.file(),
            region.lsn(),
            region.offset(),
            region.length(),
            region.count(),
            region.crc() + 1);
    Cursor damaged = region.file().read(other, 4 << 10);
    assertThatThrownBy(
            () -> {
              while (damaged.next()) {}
            })
        .isInstanceOf(DamageException.class);
  }

  private record Filled(RunEntry state, SessionBuffer buffer) implements Runs.Source {
    @Override
    public Cursor children() {
      return buffer.sorted();
    }
  }
}
