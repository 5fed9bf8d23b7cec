package sessiontree.web;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.javalin.http.Context;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.store.Listable;
import sessiontree.store.Listing;
import sessiontree.store.SessionStore;

/** Handler of {@code GET /sessions}: pages of the stored sessions. */
final class Listings {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;
  private static final Set<String> PARAMETERS =
      Set.of("state", "order", "since", "until", "limit", "cursor", Tokens.ACCESS_TOKEN);

  private static final Pattern EPOCH_SECONDS = Pattern.compile("[0-9]{1,11}(\\.[0-9]{1,9})?");

  /** The latest time, as years have four digits. */
  private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59.999999999Z");

  /** Heap reserved for each page being made. The largest, of starts of many digits, takes 8 MiB. */
  private static final int HEAP_BYTES = 32 << 20;

  private static final int WAIT_SECONDS = 5;

  private final SessionStore store;
  private final Semaphore making =
      new Semaphore((int) Math.max(1, Math.min(64, Runtime.getRuntime().maxMemory() / HEAP_BYTES)));

  Listings(SessionStore store) {
    this.store = store;
  }

  void get(Context ctx) throws ProblemException, IOException {
    for (String parameter : ctx.queryParamMap().keySet()) {
      if (!PARAMETERS.contains(parameter)) { // ignoring it could return a wrong list
        throw invalid(
            "unknown parameter; a list takes state, order, since, until, limit and cursor");
      }
    }
    Listing.Query query =
        new Listing.Query(
            filter(ctx),
            isNewestFirst(ctx),
            time(ctx, "since"),
            time(ctx, "until"),
            cursor(ctx),
            limit(ctx));
    if (!tryBegin()) {
      throw new ProblemException(Problem.STORAGE_UNAVAILABLE, "too many lists are being read");
    }
    try {
      byte[] page = page(query).toString().getBytes(StandardCharsets.UTF_8);
      Responses.set(ctx, Responses.JSON, page);
    } finally {
      making.release();
    }
  }

  private boolean tryBegin() {
    try {
      return making.tryAcquire(WAIT_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
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

  private static boolean isNewestFirst(Context ctx) throws ProblemException {
    String order = ctx.queryParam("order");
    if (order == null || order.equals("oldest")) {
      return false;
    }
    if (order.equals("newest")) {
      return true;
    }
    throw invalid("order is oldest or newest");
  }

  /** Returns a parameter's time, in RFC 3339 or UNIX epoch seconds; null if it is absent. */
  private static Instant time(Context ctx, String name) throws ProblemException {
    String time = ctx.queryParam(name);
    if (time == null) {
      return null;
    }
    try {
      if (EPOCH_SECONDS.matcher(time).matches()) {
        long micros = new BigDecimal(time).movePointRight(6).longValue();
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
      }
      // A "+" in a query decodes to a space.
      Instant instant = OffsetDateTime.parse(time.replace(' ', '+')).toInstant();
      if (!instant.isBefore(Instant.EPOCH) && !instant.isAfter(LATEST)) {
        return instant;
      }
    } catch (DateTimeParseException e) {
      // neither format
    }
    throw invalid(name + " is a time such as 2026-03-01T09:00:00Z, or seconds since 1970");
  }

  private static String cursor(Context ctx) throws ProblemException {
    String cursor = ctx.queryParam("cursor");
    try {
      return cursor == null
          ? null
          : new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.US_ASCII);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor must be the next of a previous page");
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

  private ObjectNode page(Listing.Query query) throws ProblemException, IOException {
    if (!(store instanceof Listable listable)) {
      throw new ProblemException(Problem.NOT_FOUND, "this store lists no sessions");
    }
    Listing listing;
    try {
      listing = listable.list(query);
    } catch (IllegalArgumentException e) {
      throw invalid("cursor must be the next of a previous page");
    }
    ObjectNode page = JsonNodeFactory.instance.objectNode();
    ArrayNode listed = page.putArray("sessions");
    for (Listing.Listed session : listing.sessions()) {
      ObjectNode one = listed.addObject().put("session_id", session.id());
      one.put("state", session.complete() ? "complete" : "open");
      one.put("begun", session.begun().toString());
      if (session.complete()) {
        one.put("completed", session.completed().toString());
      }
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
