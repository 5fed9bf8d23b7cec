package sessiontree.web;

import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * Conditions of a request on the tags of what it is for (RFC 9110, section 13.1). They are looked
 * at only when the request would succeed without them; {@code If-Match} comes first.
 */
final class Preconditions {
  /** Not by Jetty's lists: these take no {@code W/"tag"}. */
  private static final Pattern TAG = Pattern.compile("(W/)?(\"[^\"]*\")");

  private Preconditions() {}

  /**
   * Refuses a request whose {@code If-Match} names none of these tags, compared strongly.
   *
   * @param ifMatch its values, if it was sent
   * @param tags of what there is, with their quotes; none if there is nothing
   */
  static void checkMatch(List<String> ifMatch, Set<String> tags) throws ProblemException {
    if (!ifMatch.isEmpty() && !names(ifMatch, tags, true)) {
      throw new ProblemException(
          Problem.PRECONDITION_FAILED, "the session's tree is not one that If-Match names");
    }
  }

  /** Whether {@code If-None-Match} names one of these tags, compared weakly. */
  static boolean isKnown(List<String> ifNoneMatch, Set<String> tags) {
    return names(ifNoneMatch, tags, false);
  }

  private static boolean names(List<String> values, Set<String> tags, boolean strongly) {
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
