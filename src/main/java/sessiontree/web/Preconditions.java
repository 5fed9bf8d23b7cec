package sessiontree.web;

import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Evaluates a request's conditions on entity tags (RFC 9110, section 13.1). Conditions apply only
 * if the request would succeed without them; {@code If-Match} is evaluated first.
 */
final class Preconditions {
  /** An entity tag. Jetty's list parser does not accept {@code W/"tag"}. */
  private static final Pattern TAG = Pattern.compile("(W/)?(\"[^\"]*\")");

  private Preconditions() {}

  /**
   * Refuses a request whose {@code If-Match} names none of these tags, by strong comparison.
   *
   * @param ifMatch the header's values; empty if it was not sent
   * @param tags the resource's tags, with their quotes; empty if it does not exist
   */
  static void checkMatch(List<String> ifMatch, Set<String> tags) throws ProblemException {
    if (!ifMatch.isEmpty() && !matches(ifMatch, tags, true)) {
      throw new ProblemException(
          Problem.PRECONDITION_FAILED, "the session's tree has none of the tags in If-Match");
    }
  }

  /** Refuses a request that would change a resource of which {@code If-None-Match} names a tag. */
  static void checkNoneMatch(List<String> ifNoneMatch, Set<String> tags) throws ProblemException {
    if (isKnown(ifNoneMatch, tags)) {
      throw new ProblemException(
          Problem.PRECONDITION_FAILED, "the session's tree has one of the tags in If-None-Match");
    }
  }

  /** Returns whether {@code If-None-Match} names one of these tags, by weak comparison. */
  static boolean isKnown(List<String> ifNoneMatch, Set<String> tags) {
    return matches(ifNoneMatch, tags, false);
  }

  private static boolean matches(List<String> values, Set<String> tags, boolean strongly) {
    for (String value : values) {
      if (value.strip().equals("*")) {
        return !tags.isEmpty();
      }
      for (Matcher one = TAG.matcher(value); one.find(); ) {
        if (tags.contains(one.group(2)) && !(strongly && one.group(1) != null)) {
          return true;
        }
      }
    }
    return false;
  }
}
