package sessiontree.session;

import sessiontree.event.Batch;
import sessiontree.event.ProblemException;

/**
 * A message that a sender has sent.
 *
 * @param number its number of that sender, from 1
 * @param batch what it holds; null if it could not be read
 * @param unreadable why it could not be read, or null
 */
public record Message(long number, Batch batch, ProblemException unreadable) {}
