package sessiontree.store;

import java.io.IOException;

/** A store that can list its sessions. Safe for any number of threads. */
public interface Listable {
  /**
   * A page of the sessions, in the order in which they were begun. A session that is there from the
   * first page to the last is on one of them. What a page costs does not grow with the number of
   * sessions.
   *
   * @throws IllegalArgumentException if no page ends where this is to begin
   */
  Listing list(Listing.Query query) throws IOException;
}
