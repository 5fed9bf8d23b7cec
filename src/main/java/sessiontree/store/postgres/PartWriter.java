package sessiontree.store.postgres;

import java.io.IOException;
import java.io.OutputStream;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;

/**
 * Writes a large tree part by part, each with its own commit, and publishes it at the end. A part
 * left by a server that died has the same bytes. Not safe for several threads.
 */
final class PartWriter extends OutputStream {
  private final Connection connection;
  private final Finisher.Ended ended;
  private final byte[] part = new byte[TreeRows.PART_BYTES];
  private int used;
  private int number;

  PartWriter(Connection connection, Finisher.Ended ended) {
    this.connection = connection;
    this.ended = ended;
  }

  @Override
  public void write(int one) throws IOException {
    write(new byte[] {(byte) one}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    for (int at = 0; at < length; ) {
      int more = Math.min(length - at, part.length - used);
      System.arraycopy(bytes, offset + at, part, used, more);
      used += more;
      at += more;
      if (used == part.length) {
        writePart();
      }
    }
  }

  private void writePart() throws IOException {
    try {
      Sql.write(
          connection,
          "INSERT INTO sessiontree.tree (born, part, bytes) SELECT born, ?, ? FROM"
              + " sessiontree.session WHERE id = ? AND born = ? AND phase = 2"
              + " ON CONFLICT DO NOTHING",
          number,
          used == part.length ? part : Arrays.copyOf(part, used),
          ended.id(),
          ended.born());
    } catch (SQLException e) {
      throw new IOException(Sql.message(e), e);
    }
    number++;
    used = 0;
  }

  /** Publishes the tree. Returns false if the session was already complete, or deleted. */
  boolean publish() throws IOException {
    long bytes = (long) number * part.length + used;
    if (used > 0) {
      writePart();
    }
    try {
      return !Sql.write(
              connection,
              "WITH done AS (UPDATE sessiontree.session SET phase = 3,"
                  + " tree_bytes = ?, completed_running = (SELECT running FROM sessiontree.clock)"
                  + " WHERE id = ? AND born = ? AND phase = 2 RETURNING born),"
                  + " g AS (INSERT INTO sessiontree.garbage (born, kind, since)"
                  + " SELECT born, 1, clock_timestamp() FROM done ON CONFLICT DO NOTHING)"
                  + " SELECT born FROM done",
              row -> row.getLong(1),
              bytes,
              ended.id(),
              ended.born())
          .isEmpty();
    } catch (SQLException e) {
      throw new IOException(Sql.message(e), e);
    }
  }
}
