package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import sessiontree.store.Expirable.Seen;

/**
 * Reads the completions of a {@link Journal} once, from the oldest file on, and keeps those that
 * were due until their sessions are gone. Its lock is held while files are read or rewritten, and
 * is taken before the journal's.
 */
final class DueLines {
  /** Looks at the session of a line. */
  interface Look {
    /** Null if the session is not there any more. */
    Seen at(JournalLine line);
  }

  /** A line that was due, and whose session was there. */
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
      cursorFile = file + "!"; // the next
    }
    before.stream().limit(limit - due.size()).forEach(due::add);
    return due;
  }

  /** Returns whether the file was read to its end, and another follows. Guarded by this. */
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

  /** Lines have left a file, or it is gone: what follows of it is read again. */
  synchronized void rewritten(String file) {
    if (file.equals(cursorFile)) {
      cursorAt = 0;
      known.removeIf(one -> one.file.equals(file));
    }
  }
}
