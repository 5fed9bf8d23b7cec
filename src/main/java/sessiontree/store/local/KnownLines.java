package sessiontree.store.local;

import java.io.IOException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * The set of lines that a {@link Journal} has, so that recovery adds only the missing ones: two
 * bits for each log record. Reads files from the newest back, as far as needed. Not thread-safe.
 */
final class KnownLines {
  private static final int LSNS = 10_000;

  private final Journal journal;

  private final Map<Long, BitSet> known = new HashMap<>();
  private String readFrom = "\uffff"; // files with this name or a greater one were read
  private String ignored; // name of a file, or null

  KnownLines(Journal journal) {
    this.journal = journal;
  }

  /** Ignores a file whose lines may not be durable. */
  void ignore(String file) {
    ignored = file;
  }

  /** Returns whether the journal has the line. */
  boolean contains(JournalLine line) throws IOException {
    for (String file;
        readFrom.compareTo(line.time()) > 0 && (file = journal.files().lower(readFrom)) != null;
        readFrom = file) {
      if (!file.equals(ignored)) {
        read(file);
      }
    }
    BitSet bits = known.get(line.lsn() / LSNS);
    return bits != null && bits.get(bit(line));
  }

  private void read(String file) throws IOException {
    for (JournalLine line : journal.lines(file)) {
      known.computeIfAbsent(line.lsn() / LSNS, lsns -> new BitSet()).set(bit(line));
    }
  }

  private static int bit(JournalLine line) {
    return (int) (line.lsn() % LSNS) * 2 + (line.begun() ? 1 : 0);
  }
}
