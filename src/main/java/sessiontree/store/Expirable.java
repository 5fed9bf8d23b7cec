package sessiontree.store;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A store that knows which sessions are due to be ended or deleted. Only time during which the
 * store was open counts, so setting a clock makes no session due. Safe for any number of threads,
 * except where a method says otherwise.
 */
public interface Expirable {
  /**
   * Returns whether this server is to look for due sessions now; of several servers that share a
   * store, one does. Called before each round.
   */
  default boolean housekeeps() {
    return true;
  }

  /** Returns open sessions to which nothing was appended for that time, up to the limit. */
  List<Seen> idle(Duration time, int limit);

  /** Returns sessions complete for at least that time, up to the limit. Called by one thread. */
  List<Seen> completeFor(Duration time, int limit) throws IOException;

  /**
   * A session that was found due, and its {@link StoredSession#version} at that time; it is ended
   * or deleted only if it still has that version.
   */
  record Seen(String id, String version) {}
}
