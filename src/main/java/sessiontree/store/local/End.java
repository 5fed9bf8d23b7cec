package sessiontree.store.local;

import java.nio.ByteBuffer;
import sessiontree.event.Batch;

/**
 * The end of a session.
 *
 * @param epochMicros time of day when it was appended
 * @param abandoned whether the server ended the session, as it received nothing new
 */
record End(Batch.Bound bound, long epochMicros, boolean abandoned) {
  void put(ByteBuffer to) {
    LogRecord.putBound(to, bound);
    to.putLong(epochMicros);
  }

  static End read(ByteBuffer from, boolean abandoned) {
    return new End(LogRecord.bound(from), from.getLong(), abandoned);
  }
}
