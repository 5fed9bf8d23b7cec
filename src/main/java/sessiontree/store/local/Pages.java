package sessiontree.store.local;

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import sessiontree.store.Listing;

/**
 * Lists sessions in the order in which they were begun, or in reverse: from the {@link Journal} or,
 * if only open sessions are wanted, from memory. A session keeps its place when it completes. Safe
 * for several threads.
 */
final class Pages {
  private static final Pattern POSITION =
      Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z [A-Za-z0-9._~-]{1,128}");

  /** Maximum number of lines read for a page: it stays fast even if most are filtered out. */
  private static final int MAX_LINES = 10_000;

  private final OpenSessions open;
  private final Journal journal;
  private final TreeReader trees;

  Pages(OpenSessions open, Journal journal, TreeReader trees) {
    this.open = open;
    this.journal = journal;
    this.trees = trees;
  }

  Listing list(Listing.Query query) throws IOException {
    if (query.after() != null && !POSITION.matcher(query.after()).matches()) {
      throw new IllegalArgumentException("invalid page position: " + query.after());
    }
    while (true) {
      long purges = journal.purges();
      Listing page = page(query);
      if (purges == journal.purges()) { // else a line may belong to a deleted session of that id
        return page;
      }
    }
  }

  private Listing page(Listing.Query query) throws IOException {
    Page page = new Page(query);
    if (query.filter() == Listing.Filter.OPEN) {
      open.visit(
          query.newestFirst(),
          page.after,
          (position, session) -> page.visit(position, () -> session.listed(begun(position))));
    } else {
      journal.visit(
          query.newestFirst(), page.after, line -> page.visit(line.position(), () -> listed(line)));
    }
    return new Listing(page.sessions, page.next);
  }

  private static Instant begun(String position) {
    return Instant.parse(JournalLine.timeOf(position));
  }

  /** Returns the session of a line; null if it is gone or cannot be read. */
  private Listing.Listed listed(JournalLine line) {
    LocalSession session = open.get(line.id());
    Listing.Listed listed = session == null ? null : session.listed(Instant.parse(line.time()));
    return listed != null ? listed : trees.listed(line.id(), Instant.parse(line.time()));
  }

  /** A page being filled. */
  private static final class Page {
    private final Listing.Query query;
    private final String since;
    private final String until;
    private final String after;
    private final List<Listing.Listed> sessions = new ArrayList<>();
    private int lines;
    private String last;
    private String next;

    Page(Listing.Query query) {
      this.query = query;
      this.since = query.since() == null ? "" : JournalLine.time(query.since());
      this.until = query.until() == null ? null : JournalLine.time(query.until());
      String bound = query.newestFirst() ? until : since.isEmpty() ? null : since;
      String from = bound == null ? null : bound + " "; // sorts before all ids of that time
      boolean bounded =
          from != null
              && (query.after() == null
                  || (from.compareTo(query.after()) < 0) == query.newestFirst());
      this.after = bounded ? from : query.after();
    }

    /** Adds the session if the query takes it. Returns whether the visit goes on. */
    boolean visit(String position, Supplier<Listing.Listed> lookup) {
      String time = JournalLine.timeOf(position);
      boolean past =
          query.newestFirst()
              ? time.compareTo(since) < 0
              : until != null && time.compareTo(until) >= 0;
      if (past) {
        return false;
      }
      boolean full = sessions.size() == query.limit();
      if (!full && lines++ == MAX_LINES) {
        next = last;
        return false;
      }
      Listing.Listed listed = lookup.get();
      if (listed != null && query.takes(listed.complete())) {
        if (full) {
          next = last;
          return false;
        }
        sessions.add(listed);
        last = position;
      } else if (!full) {
        last = position;
      }
      return true;
    }
  }
}
