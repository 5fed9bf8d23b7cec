package sessiontree.event;

import java.util.concurrent.Semaphore;

/**
 * Parses messages: checks every rule that does not depend on the session, and writes each EVENT as
 * the child that it will be in the tree. Bytes inside an entry are copied as they were sent
 * (numbers to the last digit, escapes unchanged), but without white space and trailing commas.
 *
 * <p>Memory is a small multiple of the message's size; depth is bounded, so nothing that a client
 * sends can overflow the stack. Safe for several threads.
 */
public final class MessageParser {
  /** Maximum levels of nesting, where the message's own array is the first. */
  static final int MAX_DEPTH = 100;

  /** Maximum characters of one number. */
  static final int MAX_NUMBER_LENGTH = 1_000;

  /** Messages from this size on are parsed a few at a time: each takes several times its size. */
  private static final int LARGE_BYTES = 64 << 10;

  private static final Semaphore LARGE = new Semaphore(Runtime.getRuntime().availableProcessors());

  private MessageParser() {}

  /**
   * Returns the message's entries.
   *
   * @param bytes the array with the message, which is known to be valid UTF-8 (see {@link Utf8})
   * @param sessionId the session that the message was sent to
   * @throws ProblemException if the message breaks a rule: the first problem found
   */
  public static Batch parse(byte[] bytes, int offset, int length, String sessionId)
      throws ProblemException {
    if (length < LARGE_BYTES) {
      return parseNow(bytes, offset, length, sessionId);
    }
    LARGE.acquireUninterruptibly();
    try {
      return parseNow(bytes, offset, length, sessionId);
    } finally {
      LARGE.release();
    }
  }

  private static Batch parseNow(byte[] bytes, int offset, int length, String sessionId)
      throws ProblemException {
    Batch batch = EntryScanner.scan(bytes, offset, length, sessionId);
    return batch == null ? JacksonParser.parse(bytes, offset, length, sessionId) : batch;
  }
}
