package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.SQLException;

/**
 * Numbers for new sessions, which no session had before. They are reserved in the database many at
 * a time; those that are left when the server ends are lost. Owned by the thread of a lane or of an
 * import.
 */
final class Borns {
  private static final int RESERVED = 100_000;

  private long next;
  private long left;

  /** Reserves numbers if fewer than {@code needed} are left. */
  void reserve(Connection connection, int needed) throws SQLException {
    if (left < needed) {
      next =
          Sql.first(
                  Sql.write(
                      connection,
                      "UPDATE sessiontree.meta SET next_born = next_born + ? RETURNING next_born",
                      row -> row.getLong(1),
                      RESERVED))
              - RESERVED;
      left = RESERVED;
    }
  }

  long next() {
    left--;
    return next++;
  }
}
