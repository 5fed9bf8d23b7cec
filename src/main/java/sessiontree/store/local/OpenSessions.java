package sessiontree.store.local;

import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BiPredicate;

/**
 * The sessions that are stored and not complete, and for a moment those that have just completed:
 * by id, and in the order in which they began. Safe for several threads.
 */
final class OpenSessions {
  private final LocalSession.Owner owner;
  private final ConcurrentHashMap<String, LocalSession> byId = new ConcurrentHashMap<>();

  /** By position, as in the journal's lines. */
  private final ConcurrentSkipListMap<String, LocalSession> inOrder = new ConcurrentSkipListMap<>();

  /** When sessions of an earlier version count as begun: when the journal was (epoch micros). */
  private volatile long untimedBeganMicros;

  OpenSessions(LocalSession.Owner owner) {
    this.owner = owner;
  }

  void setUntimedBegan(long epochMicros) {
    untimedBeganMicros = epochMicros;
  }

  long untimedBeganMicros() {
    return untimedBeganMicros;
  }

  LocalSession get(String id) {
    return byId.get(id);
  }

  /** Returns the session of that id, which is added if there is none. */
  LocalSession getOrAdd(String id) {
    return byId.computeIfAbsent(id, missing -> new LocalSession(owner, missing, null));
  }

  void add(LocalSession session) {
    byId.put(session.id(), session);
  }

  /** Puts an added session in order, once it has its SESSION_START. */
  void addInOrder(LocalSession session) {
    inOrder.put(position(session), session);
  }

  /** Removes a session; does nothing if its id is that of another session by now. */
  void remove(LocalSession session) {
    if (byId.remove(session.id(), session)) {
      inOrder.remove(position(session), session);
    }
  }

  private String position(LocalSession session) {
    return JournalLine.position(JournalLine.time(begunMicros(session)), session.id());
  }

  long begunMicros(LocalSession session) {
    long micros = session.begunMicros();
    return micros == 0 ? untimedBeganMicros : micros;
  }

  Collection<LocalSession> all() {
    return byId.values();
  }

  int size() {
    return byId.size();
  }

  /**
   * Visits sessions and their positions in order, or the newest first, until {@code visitor}
   * returns false.
   *
   * @param after the position after which to begin, or null
   */
  void visit(boolean newestFirst, String after, BiPredicate<String, LocalSession> visitor) {
    ConcurrentNavigableMap<String, LocalSession> map =
        newestFirst ? inOrder.descendingMap() : inOrder;
    map = after == null ? map : map.tailMap(after, false);
    for (Map.Entry<String, LocalSession> each : map.entrySet()) {
      if (!visitor.test(each.getKey(), each.getValue())) {
        return;
      }
    }
  }
}
