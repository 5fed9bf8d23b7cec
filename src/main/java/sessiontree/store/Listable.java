package sessiontree.store;

import java.io.IOException;

/** A store that can list its sessions. Safe for any number of threads. */
public interface Listable {
  /**
   * A page of the sessions, in an order that stays. A session that is there from the first page to
   * the last is on one of them.
   *
   * @param after where the page begins: the {@link Listing#next} of another, or null for the first
   * @param limit of sessions of the page
   * @throws IllegalArgumentException if no page ends there
   */
  Listing list(Listing.Filter filter, String after, int limit) throws IOException;
}
