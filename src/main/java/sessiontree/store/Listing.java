package sessiontree.store;

import java.util.List;

/**
 * A page of the sessions that are stored.
 *
 * @param next where the next page begins; null on the last
 */
public record Listing(List<Listed> sessions, String next) {

  /**
   * A session of a page.
   *
   * @param complete whether it has its tree
   * @param start its SESSION_START's timestamp, as it was sent
   * @param end its end's, as it is in the tree; null while it is open
   * @param entries how many are stored; of an open session
   * @param bytes of its tree; of a complete one
   */
  public record Listed(
      String id, boolean complete, String start, String end, long entries, long bytes) {}

  /** Which sessions are listed. */
  public enum Filter {
    ALL,
    OPEN,
    COMPLETE
  }
}
