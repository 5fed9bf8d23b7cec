package sessiontree.store.local;

import java.nio.ByteBuffer;
import sessiontree.event.Batch;

/**
 * How a session began.
 *
 * @param epochMicros the time of day when it was appended, of no other session; 0 if an earlier
 *     version took it, which did not keep that
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
