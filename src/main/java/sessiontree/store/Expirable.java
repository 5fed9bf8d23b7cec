package sessiontree.store;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import sessiontree.store.SessionStore.StoredSession;

/**
 * A store that knows which sessions are due to be ended or deleted. Only time in which the store
 * was open counts, so no clock that is set makes a session due. Safe for any number of threads,
 * except where a method says otherwise.
 */
public interface Expirable {
  /**
   * Whether this server is to look for them now. Of several that share a store, one does. Called
   * before each round.
   */
  default boolean housekeeps() {
    return true;
  }

  /** Open sessions to which nothing was appended for that long. */
  List<Seen> idle(Duration time, int limit);

  /** Sessions that have been complete for that long. Called by one thread. */
  List<Seen> completeFor(Duration time, int limit) throws IOException;

  /**
   * A session that was seen, and the {@link StoredSession#version} that it was of: what follows
   * from it is done only if it still is.
   */
  record Seen(String id, String version) {}
}
