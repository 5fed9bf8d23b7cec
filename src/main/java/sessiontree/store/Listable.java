package sessiontree.store;

import java.io.IOException;

/** A store that can list its sessions. Safe for any number of threads. */
public interface Listable {
  /**
   * Returns a page of the sessions, in the order in which they were begun or the reverse. A session
   * that is stored from the first page to the last is on one of them. The cost of a page does not
   * grow with the number of sessions.
   *
   * @throws IllegalArgumentException if {@code query.after()} is not where a page ended
   */
  Listing list(Listing.Query query) throws IOException;
}
