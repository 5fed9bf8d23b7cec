package sessiontree.store;

import java.time.Instant;
import java.util.List;

/**
 * A page of the sessions that are stored.
 *
 * @param next where the next page begins; null on the last. A page may have fewer sessions than its
 *     limit, or none, and yet a next one
 */
public record Listing(List<Listed> sessions, String next) {

  /**
   * A session of a page.
   *
   * @param complete whether it has its tree
   * @param begun when the store took its SESSION_START, to the microsecond
   * @param completed when it took its SESSION_END; null while it is open
   * @param start its SESSION_START's timestamp, as it was sent
   * @param end its end's, as it is in the tree; null while it is open
   * @param entries how many are stored; of an open session
   * @param bytes of its tree; of a complete one
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
   * What a page is asked for.
   *
   * @param newestFirst whether the last that was begun comes first, or the first
   * @param since sessions begun before that are left out, unless it is null
   * @param until sessions begun then or later are left out, unless it is null
   * @param after where the page begins: the {@link Listing#next} of another, or null for the first
   * @param limit of sessions of the page
   */
  public record Query(
      Filter filter, boolean newestFirst, Instant since, Instant until, String after, int limit) {

    /** Asks for the sessions that were begun first. */
    public static Query oldest(Filter filter, String after, int limit) {
      return new Query(filter, false, null, null, after, limit);
    }

    /** Whether sessions of that kind are listed. */
    public boolean takes(boolean complete) {
      return filter == Filter.ALL || complete == (filter == Filter.COMPLETE);
    }
  }
}
