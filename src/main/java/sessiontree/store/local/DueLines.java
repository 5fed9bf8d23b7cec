package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import sessiontree.store.Expirable.Seen;

/**
 * Reads the completions in a {@link Journal} once, from the oldest file on, and keeps those that
 * were due until their sessions are gone. Its lock is held while files are read or rewritten; it is
 * taken before the journal's lock.
 */
final class DueLines {
  /** Looks up the session of a line. */
  interface Look {
    /** Returns null if the session is gone. */
    Seen at(JournalLine line);
  }

  /** A line that was due when its session still existed. */
  private record Due(String file, JournalLine line) {}

  private final Journal journal;

  // All guarded by this.
  private final List<Due> known = new ArrayList<>();
  private String cursorFile = "";
  private long cursorAt;

  DueLines(Journal journal) {
    this.journal = journal;
  }

  /** See {@link Journal#endedBefore}. */
  synchronized List<Seen> before(long millis, int limit, Look look) throws IOException {
    List<Seen> before = new ArrayList<>();
    for (Iterator<Due> each = known.iterator(); each.hasNext(); ) {
      JournalLine line = each.next().line;
      Seen seen = look.at(line);
      if (seen == null) {
        each.remove();
      } else if (line.millis() <= millis) {
        before.add(seen);
      }
    }
    List<Seen> due = new ArrayList<>();
    for (String file;
        due.size() < limit && (file = journal.files().ceiling(cursorFile)) != null; ) {
      cursorAt = file.equals(cursorFile) ? cursorAt : 0;
      cursorFile = file;
      if (!readOn(millis, limit, look, due)) {
        break;
      }
      cursorFile = file + "!"; // greater than this file's name, less than the next one's
    }
    before.stream().limit(limit - due.size()).forEach(due::add);
    return due;
  }

  /** Reads the current file on. Returns whether it ended and another follows. Guarded by this. */
  private boolean readOn(long millis, int limit, Look look, List<Seen> due) throws IOException {
    boolean last = cursorFile.equals(journal.files().last());
    try (JournalReader reader = journal.reader(cursorFile, cursorAt)) {
      for (JournalLine line; due.size() < limit && (line = reader.next()) != null; ) {
        if (!line.begun() && line.millis() > millis) {
          return false;
        }
        cursorAt = reader.position();
        Seen seen = line.begun() ? null : look.at(line);
        if (seen != null) {
          due.add(seen);
          known.add(new Due(cursorFile, line));
        }
      }
    }
    return due.size() < limit && !last;
  }

  /** Restarts {@code file} if it is the current one, as lines were removed or it was deleted. */
  synchronized void rewritten(String file) {
    if (file.equals(cursorFile)) {
      cursorAt = 0;
      known.removeIf(one -> one.file.equals(file));
    }
  }
}
