package sessiontree.store.local;

import java.io.IOException;
import java.util.List;
import java.util.NavigableSet;
import java.util.function.Predicate;

/**
 * Visits the beginnings in a {@link Journal}, in their order or newest first: those in its files,
 * and the newest ones, which wait to be forced. An instance serves one visit.
 *
 * <p>A line may be in both places. Lines of deleted sessions may be out of order: recovery adds a
 * line again if it has left the journal but its record has not yet left the log.
 */
final class Beginnings {
  private final JournalFolder folder;
  private final byte[] waiting;
  private final boolean newestFirst;
  private final String after;
  private String last;

  /**
   * Prepares a visit.
   *
   * @param waiting lines that wait to be forced, as they are in a file
   * @param after the position after which to begin, or null
   */
  Beginnings(JournalFolder folder, byte[] waiting, boolean newestFirst, String after) {
    this.folder = folder;
    this.waiting = waiting;
    this.newestFirst = newestFirst;
    this.after = after;
    this.last = after;
  }

  /** Visits each line once, but none of deleted sessions, until {@code visitor} returns false. */
  void visit(Predicate<JournalLine> deleted, Predicate<JournalLine> visitor) throws IOException {
    Predicate<JournalLine> once =
        line -> deleted.test(line) || !follows(line.position()) || visitor.test(line);
    NavigableSet<String> files = folder.names();
    if (newestFirst) {
      String file = after == null ? null : files.ceiling(JournalLine.timeOf(after));
      if (file == null && (!visit(JournalLine.parse(waiting), once) || files.isEmpty())) {
        return;
      }
      file = file == null ? files.last() : file;
      while (file != null && visit(folder.lines(file, Long.MAX_VALUE), once)) {
        file = files.lower(file);
      }
      return;
    }
    String file = after == null ? null : files.floor(JournalLine.timeOf(after));
    file = file == null ? files.ceiling("") : file;
    while (file != null && visit(folder.lines(file, Long.MAX_VALUE), once)) {
      file = files.higher(file);
    }
    if (file == null) {
      visit(JournalLine.parse(waiting), once);
    }
  }

  /** Returns whether {@code position} comes after {@code last}, which it then replaces. */
  private boolean follows(String position) {
    int order = last == null ? 0 : position.compareTo(last);
    boolean follows = last == null || (newestFirst ? order < 0 : order > 0);
    last = follows ? position : last;
    return follows;
  }

  private boolean visit(List<JournalLine> lines, Predicate<JournalLine> visitor) {
    for (int i = 0; i < lines.size(); i++) {
      JournalLine line = lines.get(newestFirst ? lines.size() - 1 - i : i);
      if (line.begun() && !visitor.test(line)) {
        return false;
      }
    }
    return true;
  }
}
