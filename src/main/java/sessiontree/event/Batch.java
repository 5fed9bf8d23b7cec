package sessiontree.event;

import java.util.List;

/**
 * The checked entries of one message, in the form in which they are stored. Immutable by
 * convention: nobody writes to its array.
 *
 * @param children the EVENTs in the order sent, laid out as {@link Children}; they fill the array
 * @param count the number of children
 * @param start the first SESSION_START, or null
 * @param startIndex the index of {@code start} in the message, from 0; -1 without one
 * @param secondStartIndex the index of a SESSION_START with another timestamp than {@code start};
 *     -1 without one
 * @param end the SESSION_END, or null; it is the message's last entry
 */
public record Batch(
    byte[] children, int count, Bound start, int startIndex, int secondStartIndex, Bound end) {

  /**
   * Returns the entries of consecutive messages, as if they had been sent in one. Only the last
   * message may have an end; the first SESSION_START counts.
   */
  public static Batch joined(List<Batch> batches) {
    if (batches.size() == 1) {
      return batches.get(0);
    }
    int bytes = 0;
    int count = 0;
    Bound start = null;
    for (Batch batch : batches) {
      bytes += batch.children.length;
      count += batch.count;
      start = start == null ? batch.start : start;
    }
    byte[] children = new byte[bytes];
    int at = 0;
    for (Batch batch : batches) {
      System.arraycopy(batch.children, 0, children, at, batch.children.length);
      at += batch.children.length;
    }
    Bound end = batches.get(batches.size() - 1).end;
    return new Batch(children, count, start, start == null ? -1 : 0, -1, end);
  }

  /** Returns how many entries would be stored if none of them repeats a stored one. */
  public int entries() {
    return count + (start == null ? 0 : 1) + (end == null ? 0 : 1);
  }

  /**
   * The SESSION_START or SESSION_END of a session.
   *
   * @param key nanoseconds since the UNIX epoch
   * @param text the timestamp's characters as they were sent
   */
  public record Bound(long key, String text) {}
}
