package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import sessiontree.store.Listing;

/**
 * Reads pages of the session list, ordered by begin time, in microseconds, and then by id. Each
 * page is one range of an index, wherever it begins.
 */
final class Pages {
  /** A cursor: begin time, in microseconds, and id of the session before the page. */
  private static final Pattern CURSOR = Pattern.compile("(\\d{1,18}) ([\\w.~-]+)");

  private Pages() {}

  /** Reads the page for {@link sessiontree.store.Listable#list}. */
  static Listing read(Connection connection, Listing.Query query) throws SQLException {
    List<Object> parameters = new ArrayList<>();
    if (query.since() != null) {
      parameters.add(time(query.since()));
    }
    if (query.until() != null) {
      parameters.add(time(query.until()));
    }
    if (query.after() != null) {
      Matcher cursor = cursor(query.after());
      long micros = Long.parseLong(cursor.group(1));
      parameters.add(time(Instant.EPOCH.plus(micros, ChronoUnit.MICROS)));
      parameters.add(cursor.group(2));
    }
    parameters.add(query.limit() + 1);
    List<Listing.Listed> page =
        Sql.query(connection, sql(query), Pages::listed, parameters.toArray());
    if (page.size() <= query.limit()) {
      return new Listing(page, null);
    }
    page.remove(query.limit());
    Listing.Listed last = page.get(query.limit() - 1);
    long micros = ChronoUnit.MICROS.between(Instant.EPOCH, last.begun());
    return new Listing(page, micros + " " + last.id());
  }

  private static String sql(Listing.Query query) {
    String states =
        switch (query.filter()) {
          case ALL -> "true";
          case OPEN -> "phase IN (1, 2)";
          case COMPLETE -> "phase = 3";
        };
    String order = query.newestFirst() ? " DESC" : "";
    return "SELECT id, phase = 3, begun, ended, start_text, end_text, entries, tree_bytes"
        + " FROM sessiontree.session WHERE "
        + states
        + (query.since() == null ? "" : " AND begun >= ?")
        + (query.until() == null ? "" : " AND begun < ?")
        + (query.after() == null
            ? ""
            : " AND (begun, id) %s (?, ?)".formatted(query.newestFirst() ? "<" : ">"))
        + " ORDER BY begun%s, id%s LIMIT ?".formatted(order, order);
  }

  private static OffsetDateTime time(Instant time) {
    return time.atOffset(ZoneOffset.UTC);
  }

  private static Matcher cursor(String after) {
    Matcher cursor = CURSOR.matcher(after);
    if (!cursor.matches()) {
      throw new IllegalArgumentException("no page ends at " + after);
    }
    return cursor;
  }

  private static Listing.Listed listed(ResultSet row) throws SQLException {
    boolean complete = row.getBoolean(2);
    return new Listing.Listed(
        row.getString(1),
        complete,
        row.getObject(3, OffsetDateTime.class).toInstant(),
        complete ? row.getObject(4, OffsetDateTime.class).toInstant() : null,
        row.getString(5),
        complete ? row.getString(6) : null,
        complete ? 0 : row.getLong(7),
        complete ? row.getLong(8) : 0);
  }
}
