package sessiontree.store;

import java.io.Closeable;
import java.io.IOException;
import java.util.Map;
import sessiontree.event.Batch;
import sessiontree.sort.Cursor;

/**
 * All that is stored of an open session at one moment. The caller closes it.
 *
 * @param sequence how many appends made it what it is
 * @param entries how many, SESSION_START included
 * @param writers the last number of each named writer
 * @param children sorted; to be read once
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
