package sessiontree.web;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.javalin.http.Context;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Set;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.store.Listable;
import sessiontree.store.Listing;
import sessiontree.store.SessionStore;

/** {@code GET /sessions}: pages of the sessions that are stored. */
final class Listings {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;
  private static final Set<String> PARAMETERS =
      Set.of("state", "limit", "cursor", Tokens.ACCESS_TOKEN);

  private final SessionStore store;

  Listings(SessionStore store) {
    this.store = store;
  }

  void get(Context ctx) throws ProblemException, IOException {
    for (String parameter : ctx.queryParamMap().keySet()) {
      if (!PARAMETERS.contains(parameter)) { // what it asks for would be missing
        throw invalid("a list knows state, limit and cursor");
      }
    }
    String page = page(filter(ctx), cursor(ctx), limit(ctx)).toString();
    Responses.set(ctx, Responses.JSON, page.getBytes(StandardCharsets.UTF_8));
  }

  private static Listing.Filter filter(Context ctx) throws ProblemException {
    String state = ctx.queryParam("state");
    if (state == null) {
      return Listing.Filter.ALL;
    }
    return switch (state) {
      case "open" -> Listing.Filter.OPEN;
      case "complete" -> Listing.Filter.COMPLETE;
      default -> throw invalid("state is open or complete");
    };
  }

  private static String cursor(Context ctx) throws ProblemException {
    String cursor = ctx.queryParam("cursor");
    try {
      return cursor == null
          ? null
          : new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.US_ASCII);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor is the next of another page");
    }
  }

  private static int limit(Context ctx) throws ProblemException {
    String limit = ctx.queryParam("limit");
    if (limit == null) {
      return DEFAULT_LIMIT;
    }
    if (!limit.matches("[0-9]{1,4}")
        || Integer.parseInt(limit) < 1
        || Integer.parseInt(limit) > MAX_LIMIT) {
      throw invalid("limit is a number from 1 to " + MAX_LIMIT);
    }
    return Integer.parseInt(limit);
  }

  private static ProblemException invalid(String detail) {
    return new ProblemException(Problem.INVALID_PARAMETER, detail);
  }

  private ObjectNode page(Listing.Filter state, String after, int limit)
      throws ProblemException, IOException {
    if (!(store instanceof Listable listable)) {
      throw new ProblemException(Problem.NOT_FOUND, "this store lists no sessions");
    }
    Listing listing;
    try {
      listing = listable.list(state, after, limit);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor is the next of another page");
    }
    ObjectNode page = JsonNodeFactory.instance.objectNode();
    ArrayNode listed = page.putArray("sessions");
    for (Listing.Listed session : listing.sessions()) {
      ObjectNode one = listed.addObject().put("session_id", session.id());
      one.put("state", session.complete() ? "complete" : "open");
      one.putRawValue("start", new RawValue(session.start())); // as it was sent
      if (session.complete()) {
        one.putRawValue("end", new RawValue(session.end()));
        one.put("bytes", session.bytes());
      } else {
        one.put("entries", session.entries());
      }
    }
    if (listing.next() != null) {
      byte[] next = listing.next().getBytes(StandardCharsets.US_ASCII);
      page.put("next", Base64.getUrlEncoder().withoutPadding().encodeToString(next));
    }
    return page;
  }
}
