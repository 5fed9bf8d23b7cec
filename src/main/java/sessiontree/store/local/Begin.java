package sessiontree.store.local;

import java.nio.ByteBuffer;
import sessiontree.event.Batch;

/**
 * The start of a session.
 *
 * @param epochMicros time of day when it was appended, unique among sessions; 0 if it was stored by
 *     an earlier version, which did not keep the time
 */
record Begin(Batch.Bound bound, long epochMicros) {
  void put(ByteBuffer to) {
    LogRecord.putBound(to, bound);
    if (isTimed()) {
      to.putLong(epochMicros);
    }
  }

  boolean isTimed() {
    return epochMicros != 0;
  }

  static Begin read(ByteBuffer from, boolean timed) {
    return new Begin(LogRecord.bound(from), timed ? from.getLong() : 0);
  }
}
