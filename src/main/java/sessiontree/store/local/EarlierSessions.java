package sessiontree.store.local;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * Sorts lines by position, for the first journal of a folder: in batches, which are then merged, so
 * that many sessions need little memory. For one thread.
 */
final class EarlierSessions {
  private static final int BATCH = 20_000;

  private final Disk disk;
  private final Path temporary;
  private final List<Path> sorted = new ArrayList<>();
  private final List<JournalLine> batch = new ArrayList<>();

  EarlierSessions(Disk disk, Path temporary) {
    this.disk = disk;
    this.temporary = temporary;
  }

  void add(JournalLine line) throws IOException {
    batch.add(line);
    if (batch.size() == BATCH) {
      writeBatch();
    }
  }

  private void writeBatch() throws IOException {
    batch.sort(Comparator.comparing(JournalLine::position));
    Path file = temporary.resolve("journal-" + sorted.size());
    try (OutputStream to =
        new BufferedOutputStream(new DiskStreams.Output(disk.createTemporary(file)), 64 << 10)) {
      for (JournalLine line : batch) {
        to.write(line.bytes());
      }
    }
    sorted.add(file);
    batch.clear();
  }

  private record Source(JournalReader reader, JournalLine line) {}

  /** Writes all lines in order. */
  void writeTo(JournalFolder.Output to) throws IOException {
    writeBatch();
    PriorityQueue<Source> sources =
        new PriorityQueue<>(Comparator.comparing((Source source) -> source.line.position()));
    for (Path file : sorted) {
      next(new JournalReader(disk.open(file), 0, Long.MAX_VALUE), sources);
    }
    for (Source first; (first = sources.poll()) != null; ) {
      to.line(first.line);
      next(first.reader, sources);
    }
    for (Path file : sorted) {
      disk.delete(file);
    }
  }

  private static void next(JournalReader reader, PriorityQueue<Source> sources) throws IOException {
    JournalLine line = reader.next();
    if (line == null) {
      reader.close();
    } else {
      sources.add(new Source(reader, line));
    }
  }
}
