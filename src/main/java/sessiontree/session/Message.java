package sessiontree.session;

import sessiontree.event.Batch;
import sessiontree.event.ProblemException;

/**
 * A message from a sender.
 *
 * @param number the sender's number of the message, from 1
 * @param batch the entries; null if the message could not be parsed
 * @param parseProblem why the message could not be parsed, or null
 */
public record Message(long number, Batch batch, ProblemException parseProblem) {}
