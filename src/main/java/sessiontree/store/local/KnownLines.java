package sessiontree.store.local;

import java.io.IOException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * Which lines a {@link Journal} has, for a recovery that adds those of the log again: two bits for
 * each log record. Files are read from the newest back, as far as is asked for. For one thread.
 */
final class KnownLines {
  private static final int LSNS = 10_000;

  private final Journal journal;

  private final Map<Long, BitSet> known = new HashMap<>();
  private String from = "\uffff"; // the files from this one on were read
  private String passedOver; // a file, or null

  KnownLines(Journal journal) {
    this.journal = journal;
  }

  /** The lines of that file may not be durable. */
  void passOver(String file) {
    passedOver = file;
  }

  /** Whether the journal has that line. */
  boolean contains(JournalLine line) throws IOException {
    for (String file;
        from.compareTo(line.time()) > 0 && (file = journal.files().lower(from)) != null;
        from = file) {
      if (!file.equals(passedOver)) {
        read(file);
      }
    }
    BitSet bits = known.get(line.lsn() / LSNS);
    return bits != null && bits.get(bit(line));
  }

  private void read(String file) throws IOException {
    try (JournalReader reader = journal.reader(file, 0)) {
      for (JournalLine line; (line = reader.next()) != null; ) {
        known.computeIfAbsent(line.lsn() / LSNS, lsns -> new BitSet()).set(bit(line));
      }
    }
  }

  private static int bit(JournalLine line) {
    return (int) (line.lsn() % LSNS) * 2 + (line.begun() ? 1 : 0);
  }
}
