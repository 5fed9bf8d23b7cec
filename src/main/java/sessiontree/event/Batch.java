package sessiontree.event;

/**
 * The entries of one message, checked, and in the form they are kept in. Immutable by agreement:
 * nobody writes into its array.
 *
 * @param children the EVENTs in the order sent, laid out as {@link Children}; the array is theirs
 *     alone
 * @param count how many children there are
 * @param start the first SESSION_START, or null
 * @param startIndex its place in the message, from 0; -1 without one
 * @param secondStartIndex the place of a SESSION_START of another timestamp than the first's; -1
 *     without one
 * @param end the SESSION_END, or null; it is the message's last entry
 */
public record Batch(
    byte[] children, int count, Bound start, int startIndex, int secondStartIndex, Bound end) {

  /** How many entries the message had that would be stored, if none of them repeats another. */
  public int entries() {
    return count + (start == null ? 0 : 1) + (end == null ? 0 : 1);
  }

  /**
   * One end of a session.
   *
   * @param key nanoseconds since the UNIX epoch
   * @param text the timestamp's characters as they were sent
   */
  public record Bound(long key, String text) {}
}
