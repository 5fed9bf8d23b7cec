package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import sessiontree.store.Expirable.Seen;

/**
 * Reads the completions in a {@link Journal} once, from the oldest file on, and keeps those that
 * were due until their sessions are gone. Its lock is held while files are read or rewritten; it is
 * taken before the journal's lock.
 */
final class DueLines {
  /** A line that was due when its session still existed. */
  private record Due(String file, JournalLine line) {}

  private final Journal journal;

  // All guarded by this.
  private final List<Due> known = new ArrayList<>();
  private String currentFile = "";
  private int linesRead; // of the current file

  DueLines(Journal journal) {
    this.journal = journal;
  }

  /** See {@link Journal#endedBefore}. */
  synchronized List<Seen> before(long millis, int limit, Function<JournalLine, Seen> lookup)
      throws IOException {
    List<Seen> before = new ArrayList<>();
    for (Iterator<Due> each = known.iterator(); each.hasNext(); ) {
      JournalLine line = each.next().line;
      Seen seen = lookup.apply(line);
      if (seen == null) {
        each.remove();
      } else if (line.millis() <= millis) {
        before.add(seen);
      }
    }
    List<Seen> due = new ArrayList<>();
    String file = journal.files().ceiling(currentFile); // the next one if a purge deleted it
    while (file != null) {
      linesRead = file.equals(currentFile) ? linesRead : 0;
      currentFile = file;
      file = readCurrentFile(millis, limit, lookup, due) ? journal.files().higher(file) : null;
    }
    before.stream().limit(limit - due.size()).forEach(due::add);
    return due;
  }

  /** Reads the current file on. Returns whether it ended and another follows. Guarded by this. */
  private boolean readCurrentFile(
      long millis, int limit, Function<JournalLine, Seen> lookup, List<Seen> due)
      throws IOException {
    boolean last = currentFile.equals(journal.files().last());
    List<JournalLine> lines = journal.lines(currentFile);
    for (; linesRead < lines.size() && due.size() < limit; linesRead++) {
      JournalLine line = lines.get(linesRead);
      if (!line.begun() && line.millis() > millis) {
        return false;
      }
      Seen seen = line.begun() ? null : lookup.apply(line);
      if (seen != null) {
        due.add(seen);
        known.add(new Due(currentFile, line));
      }
    }
    return due.size() < limit && !last;
  }

  /** Restarts {@code file} if it is the current one, as lines were removed or it was deleted. */
  synchronized void restart(String file) {
    if (file.equals(currentFile)) {
      linesRead = 0;
      known.removeIf(one -> one.file.equals(file));
    }
  }
}
