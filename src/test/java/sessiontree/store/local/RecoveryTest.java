package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.event;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import sessiontree.metrics.Metrics;
import sessiontree.store.Appender;
import sessiontree.store.log.FaultyDisk;

/** The cost of a start, in disk operations. */
class RecoveryTest {
  private static final Path FOLDER = Path.of("store");
  private static final int RECORDS = 2_000;

  private static LocalStoreOptions memory(long bytes) {
    return new LocalStoreOptions(
        bytes, 64 << 20, 4, Duration.ofMinutes(1), Duration.ofMinutes(5), System::nanoTime);
  }

  @Test
  void startOnAFullDisk_doesNotTryToSpillForEachRecord() throws Exception {
    FaultyDisk disk = FaultyDisk.create(new Random(1));
    try (LocalStore store = LocalStore.open(disk, FOLDER, memory(64 << 20), new Metrics())) {
      Appender session = new Appender(store.open("a"));
      session.append(message(start(1)));
      for (int i = 1; i < RECORDS; i++) {
        session.append(message(event(i, "x".repeat(500))));
      }
      session.append(null).assertStored();
    }
    disk.limit(0);
    long before = disk.operations();
    try (LocalStore store = LocalStore.open(disk, FOLDER, memory(64 << 10), new Metrics())) {
      assertThat(disk.operations() - before).isLessThan(RECORDS / 4);
      assertThat(store.state("a").entries()).isEqualTo(RECORDS);
    }
  }
}
