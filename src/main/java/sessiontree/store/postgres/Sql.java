package sessiontree.store.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Runs statements with parameters, which may be arrays. The driver keeps frequent ones prepared.
 */
final class Sql {
  /** A function of a result's current row. */
  interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  private Sql() {}

  /** Runs a query, and returns what the reader returned for each row. */
  static <T> List<T> query(
      Connection connection, String sql, RowReader<T> reader, Object... parameters)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      set(statement, parameters);
      return read(statement, reader);
    }
  }

  /**
   * Runs a statement that writes and returns rows, and returns what the reader returned for each.
   *
   * @throws SQLException also if its commit may not be replicated
   */
  static <T> List<T> write(
      Connection connection, String sql, RowReader<T> reader, Object... parameters)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      set(statement, parameters);
      List<T> rows = read(statement, reader);
      check(statement.getWarnings());
      return rows;
    }
  }

  /**
   * Runs a statement that writes, and returns the number of rows.
   *
   * @throws SQLException also if its commit may not be replicated
   */
  static int write(Connection connection, String sql, Object... parameters) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      set(statement, parameters);
      int rows = statement.executeUpdate();
      check(statement.getWarnings());
      return rows;
    }
  }

  /** Returns the first row; null if there is none. */
  static <T> T first(List<T> rows) {
    return rows.isEmpty() ? null : rows.get(0);
  }

  /** Returns a parameter of type {@code text[]}. */
  static Object texts(Collection<String> values) {
    return values.toArray(new String[0]);
  }

  /** Returns a parameter of type {@code bigint[]}. */
  static Object numbers(Collection<Long> values) {
    return values.toArray(new Long[0]);
  }

  private static void set(PreparedStatement statement, Object[] parameters) throws SQLException {
    for (int i = 0; i < parameters.length; i++) {
      Object value = parameters[i];
      if (value instanceof Object[] array) {
        String type =
            value instanceof Long[]
                ? "int8"
                : value instanceof Integer[]
                    ? "int4"
                    : value instanceof String[] ? "text" : "bytea";
        value = statement.getConnection().createArrayOf(type, array);
      }
      statement.setObject(i + 1, value);
    }
  }

  private static <T> List<T> read(PreparedStatement statement, RowReader<T> reader)
      throws SQLException {
    List<T> rows = new ArrayList<>();
    try (ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        rows.add(reader.read(row));
      }
    }
    return rows;
  }

  /** Throws on a warning, such as an unreplicated commit, which may be lost with this primary. */
  static void check(SQLWarning warning) throws SQLException {
    if (warning != null) {
      throw new SQLException("the commit may not be replicated", "01000", warning);
    }
  }

  /** Describes the failure for a log line, without the values in the statement. */
  static String message(SQLException e) {
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    return e.getSQLState() + " " + message.lines().findFirst().orElse("");
  }
}
