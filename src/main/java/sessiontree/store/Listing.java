package sessiontree.store;

import java.time.Instant;
import java.util.List;

/**
 * A page of the stored sessions.
 *
 * @param next where the next page begins; null on the last page. A page may have fewer sessions
 *     than its limit, or none, and still have a next one
 */
public record Listing(List<Listed> sessions, String next) {

  /**
   * A session on a page.
   *
   * @param complete whether the session has its tree
   * @param begun when the store took its SESSION_START, to the microsecond
   * @param completed when the store took its SESSION_END; null while it is open
   * @param start the timestamp of its SESSION_START, as it was sent
   * @param end the timestamp of its end, as it is in the tree; null while it is open
   * @param entries the number of stored entries of an open session; otherwise 0
   * @param bytes the size of the tree of a complete session; otherwise 0
   */
  public record Listed(
      String id,
      boolean complete,
      Instant begun,
      Instant completed,
      String start,
      String end,
      long entries,
      long bytes) {}

  /** Which sessions are listed. */
  public enum Filter {
    ALL,
    OPEN,
    COMPLETE
  }

  /**
   * A request for a page.
   *
   * @param newestFirst whether the sessions begun last come first; otherwise those begun first
   * @param since sessions begun before this time are left out; null for none
   * @param until sessions begun at this time or later are left out; null for none
   * @param after where the page begins: the {@link Listing#next} of another, or null for the first
   * @param limit maximum number of sessions on the page
   */
  public record Query(
      Filter filter, boolean newestFirst, Instant since, Instant until, String after, int limit) {

    /** Returns a query for the sessions that were begun first. */
    public static Query oldest(Filter filter, String after, int limit) {
      return new Query(filter, false, null, null, after, limit);
    }

    /** Returns whether the filter lists complete sessions or, for false, those that are not. */
    public boolean takes(boolean complete) {
      return filter == Filter.ALL || complete == (filter == Filter.COMPLETE);
    }
  }
}
