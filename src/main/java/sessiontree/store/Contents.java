package sessiontree.store;

import java.io.Closeable;
import java.io.IOException;
import java.util.Map;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;

/**
 * A snapshot of all that is stored of an open session. The caller closes it.
 *
 * @param sequence the number of appends that changed the session
 * @param entries the number of entries, SESSION_START included
 * @param writers the last number of each named writer
 * @param children the children in key order, to be read once
 * @param source what the children are read from
 */
public record Contents(
    Batch.Bound start,
    long sequence,
    long entries,
    Map<String, Long> writers,
    Cursor children,
    Closeable source)
    implements Closeable {
  @Override
  public void close() throws IOException {
    source.close();
  }
}
