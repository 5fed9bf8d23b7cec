package sessiontree.store.postgres;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import sessiontree.event.Batch;
import sessiontree.event.Children;
import sessiontree.sort.Cursor;
import sessiontree.store.Contents;
import sessiontree.store.Listing.Listed;
import sessiontree.store.Tree;

/**
 * Writes sessions of another store into the database, many in one transaction. The session rows
 * come last, after what was written has been read back, so servers are not blocked on them for
 * long. Not safe for several threads.
 */
public final class Import implements AutoCloseable {
  /** Bytes at which a transaction should be committed. */
  private static final int MAX_BYTES = 4 << 20;

  private static final int MAX_SESSIONS = 1_000;

  private final Connection connection;
  private final PreparedStatement part;
  private final PreparedStatement writer;
  private final PreparedStatement session;
  private final List<Added> added = new ArrayList<>();
  private final Borns borns = new Borns();
  private long bytes; // in the transaction
  private int unsentBytes; // bytes of parts that were not sent

  /** A session in the transaction; reading it back must give {@code check}. */
  private record Added(
      Listed listed,
      long born,
      long seq,
      long entries,
      long bytes,
      Batch.Bound start,
      Batch.Bound latest,
      Map<String, Long> writers,
      String check) {}

  /**
   * The outcome of a transaction.
   *
   * @param conflicts ids that servers took meanwhile
   * @param different ids whose data differed when it was read back; they are left out
   */
  public record Outcome(List<Listed> copied, Set<String> conflicts, Set<String> different) {}

  private Import(Connection connection) throws SQLException {
    this.connection = connection;
    this.part = connection.prepareStatement("INSERT INTO sessiontree.tree VALUES (?, ?, ?)");
    this.writer = connection.prepareStatement("INSERT INTO sessiontree.writer VALUES (?, ?, ?)");
    this.session =
        connection.prepareStatement(
            "INSERT INTO sessiontree.session (id, born, phase, seq, entries, bytes, start_key,"
                + " start_text, latest_key, latest_text, end_text, begun, ended, tree_bytes,"
                + " appended, completed_running)"
                + " SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::timestamptz, ?::timestamptz, ?,"
                + " running, CASE WHEN ? THEN running END FROM sessiontree.clock"
                + " ON CONFLICT (id) DO NOTHING");
  }

  /**
   * Opens the database, and creates its tables if there are none.
   *
   * @throws IOException if it does not respond, or cannot keep the store's promises
   */
  public static Import open(String given, String password) throws IOException {
    try {
      Connection connection = new Connections(StoreUri.parse(given, password)).connect();
      try {
        Schema.prepare(connection);
        return new Import(connection);
      } catch (SQLException | IOException e) {
        Connections.close(connection);
        throw e;
      }
    } catch (SQLException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  /** Returns the ids in the database, and whether each is the same session, by its begin time. */
  public Map<String, Boolean> known(List<Listed> sessions) throws SQLException {
    Map<String, Listed> byId = new HashMap<>();
    sessions.forEach(one -> byId.put(one.id(), one));
    connection.setAutoCommit(true);
    Map<String, Boolean> known = new HashMap<>();
    Sql.query(
        connection,
        "SELECT id, begun, phase FROM sessiontree.session WHERE id = ANY (?)",
        row -> {
          Listed one = byId.get(row.getString(1));
          boolean same = row.getObject(2, OffsetDateTime.class).toInstant().equals(one.begun());
          boolean older = one.complete() && row.getInt(3) == Row.OPEN; // completed since its copy
          return known.put(one.id(), same && !older);
        },
        Sql.texts(byId.keySet()));
    borns.reserve(connection, sessions.size());
    connection.setAutoCommit(false);
    return known;
  }

  /**
   * Adds a complete session, which must not be known.
   *
   * @throws IOException if the tree cannot be read; nothing of the session will then be stored
   */
  public void add(Listed listed, long entries, Map<String, Long> writers, Tree tree)
      throws SQLException, IOException {
    long born = borns.next();
    MessageDigest digest = sha256();
    try {
      int number = 0;
      for (long at = 0; at < tree.bytes(); at += TreeRows.PART_BYTES) {
        ByteBuffer read =
            ByteBuffer.allocate((int) Math.min(TreeRows.PART_BYTES, tree.bytes() - at));
        tree.read(read, at);
        if (read.hasRemaining()) {
          throw new IOException("its tree ends before offset " + tree.bytes());
        }
        digest.update(read.array());
        part.setLong(1, born);
        part.setInt(2, number++);
        part.setBytes(3, read.array());
        part.addBatch();
        unsentBytes += read.capacity();
        if (unsentBytes >= MAX_BYTES) {
          sendParts();
        }
      }
    } catch (IOException e) {
      sendParts();
      discard(born);
      throw e;
    }
    bytes += tree.bytes();
    long key = new BigDecimal(listed.start()).movePointRight(9).longValue();
    Batch.Bound start = new Batch.Bound(key, listed.start());
    String check = HexFormat.of().formatHex(digest.digest());
    added.add(new Added(listed, born, 1, entries, 0, start, start, writers, check));
  }

  /**
   * Adds an open session, which must not be known. Its children are stored in sorted order: those
   * appended later still sort after equal keys, as they do after the original order.
   *
   * @throws IOException if it cannot be read; nothing of the session will then be stored
   */
  public void add(Listed listed, Contents contents) throws SQLException, IOException {
    long born = borns.next();
    ByteArrayOutputStream row = new ByteArrayOutputStream();
    byte[] header = new byte[Children.HEADER_BYTES];
    long seq = 0;
    long total = 0;
    long all = 0;
    int count = 0;
    Batch.Bound latest = contents.start();
    try {
      for (Cursor child = contents.children(); child.next(); ) {
        byte[] text = child.array();
        if (child.key() > latest.key()) {
          latest = Children.bound(child.key(), text, child.offset());
        }
        Children.putHeader(header, 0, child.key(), child.length());
        row.write(header, 0, header.length);
        row.write(text, child.offset(), child.length());
        count++;
        if (row.size() >= TreeRows.PART_BYTES) {
          write(born, seq++, total, count, row);
          total += count;
          all += row.size();
          count = 0;
          row.reset();
        }
      }
    } catch (IOException e) {
      discard(born);
      throw e;
    }
    if (count > 0) {
      write(born, seq++, total, count, row);
      total += count;
      all += row.size();
    }
    bytes += all;
    long sequence = Math.max(seq, contents.sequence()); // so the next entry row has a greater seq
    added.add(
        new Added(
            listed,
            born,
            sequence,
            contents.entries(),
            all,
            contents.start(),
            latest,
            contents.writers(),
            contents.entries() - 1 + " children, " + all + " bytes"));
  }

  private void write(long born, long seq, long before, int count, ByteArrayOutputStream children)
      throws SQLException {
    Sql.write(
        connection,
        "INSERT INTO sessiontree.entry VALUES (?, ?, ?, ?, ?)",
        born,
        seq,
        before,
        count,
        children.toByteArray());
  }

  private void sendParts() throws SQLException {
    part.executeBatch();
    unsentBytes = 0;
  }

  /** Returns whether the transaction should be committed now. */
  public boolean isFull() {
    return bytes >= MAX_BYTES || added.size() >= MAX_SESSIONS;
  }

  /**
   * Reads back what was added, and commits it.
   *
   * @throws SQLException also if it is not known whether the transaction is stored; try again later
   */
  public Outcome commit() throws SQLException {
    sendParts();
    Map<Long, String> checks = checks();
    Outcome outcome = new Outcome(new ArrayList<>(), new TreeSet<>(), new TreeSet<>());
    List<Added> sound = new ArrayList<>();
    for (Added one : added) {
      if (one.check.equals(checks.get(one.born))) {
        sound.add(one);
        addRows(one);
      } else {
        outcome.different.add(one.listed.id());
        discard(one.born);
      }
    }
    writer.executeBatch();
    int[] rows = session.executeBatch();
    for (int i = 0; i < rows.length; i++) {
      Added one = sound.get(i);
      if (rows[i] == 0) {
        outcome.conflicts.add(one.listed.id());
        discard(one.born);
      } else {
        outcome.copied.add(one.listed);
      }
    }
    connection.clearWarnings();
    connection.commit();
    Sql.check(connection.getWarnings());
    added.clear();
    bytes = 0;
    return outcome;
  }

  private void addRows(Added one) throws SQLException {
    for (Map.Entry<String, Long> named : one.writers.entrySet()) {
      writer.setLong(1, one.born);
      writer.setString(2, named.getKey());
      writer.setLong(3, named.getValue());
      writer.addBatch();
    }
    Listed listed = one.listed;
    List<Object> values =
        Arrays.asList(
            listed.id(),
            one.born,
            listed.complete() ? Row.COMPLETE : Row.OPEN,
            one.seq,
            one.entries,
            one.bytes,
            one.start.key(),
            one.start.text(),
            one.latest.key(),
            one.latest.text(),
            listed.end(),
            text(listed.begun()),
            text(listed.completed()),
            listed.complete() ? listed.bytes() : null,
            listed.complete());
    for (int i = 0; i < values.size(); i++) {
      session.setObject(i + 1, values.get(i), type(i));
    }
    session.addBatch();
  }

  /** Returns a value's SQL type. Nulls are typed too, so that all rows use the same statement. */
  private static int type(int value) {
    return switch (value) {
      case 0, 7, 9, 10, 11, 12 -> Types.VARCHAR;
      case 14 -> Types.BOOLEAN;
      default -> Types.BIGINT;
    };
  }

  private static String text(Instant time) {
    return time == null ? null : time.toString();
  }

  /** Reads back each session of the transaction, for comparison with its check. */
  private Map<Long, String> checks() throws SQLException {
    Object borns = Sql.numbers(added.stream().map(Added::born).toList());
    Map<Long, String> checks = new HashMap<>();
    Sql.query(
        connection,
        "SELECT b, coalesce(sum(e.count), 0) || ' children, '"
            + " || coalesce(sum(length(e.children)), 0) || ' bytes' FROM unnest(?::bigint[]) b"
            + " LEFT JOIN sessiontree.entry e ON e.born = b GROUP BY b",
        row -> checks.put(row.getLong(1), row.getString(2)),
        borns);
    Map<Long, MessageDigest> digests = new HashMap<>();
    try (PreparedStatement query =
        connection.prepareStatement(
            "SELECT born, bytes FROM sessiontree.tree WHERE born = ANY (?) ORDER BY born, part")) {
      query.setArray(1, connection.createArrayOf("int8", (Object[]) borns));
      query.setFetchSize(16);
      try (ResultSet row = query.executeQuery()) {
        while (row.next()) {
          digests.computeIfAbsent(row.getLong(1), born -> sha256()).update(row.getBytes(2));
        }
      }
    }
    digests.forEach((born, one) -> checks.put(born, HexFormat.of().formatHex(one.digest())));
    return checks;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has it", e);
    }
  }

  /** Marks the rows of a session that is left out as garbage, for a server's sweeper to delete. */
  private void discard(long born) throws SQLException {
    Sql.write(connection, "INSERT INTO sessiontree.garbage VALUES (?, 2, clock_timestamp())", born);
  }

  /** Closes the connection. What was not committed is dropped. */
  @Override
  public void close() {
    Connections.close(connection);
  }
}
