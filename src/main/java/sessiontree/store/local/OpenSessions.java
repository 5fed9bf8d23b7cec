package sessiontree.store.local;

import java.util.Collection;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * The sessions that are stored and not complete, and for a moment those that have just become so:
 * by id, and in the order of pages. Safe for several threads.
 */
final class OpenSessions {
  private final ConcurrentHashMap<String, LocalSession> byId = new ConcurrentHashMap<>();

  /** By the relative path that its tree will have. */
  private final ConcurrentSkipListMap<String, LocalSession> byPath = new ConcurrentSkipListMap<>();

  LocalSession get(String id) {
    return byId.get(id);
  }

  void add(LocalSession session) {
    byId.put(session.id(), session);
    byPath.put(TreePath.of(session.id()), session);
  }

  /** Does nothing if its id is another's by now. */
  void remove(LocalSession session) {
    if (byId.remove(session.id(), session)) {
      byPath.remove(TreePath.of(session.id()), session);
    }
  }

  Collection<LocalSession> all() {
    return byId.values();
  }

  int size() {
    return byId.size();
  }

  /** Those whose trees will be in that folder, in order of their paths. */
  NavigableMap<String, LocalSession> in(int folder) {
    String prefix = TreePath.folder(folder);
    return byPath.subMap(prefix, true, prefix + Character.MAX_VALUE, false);
  }
}
