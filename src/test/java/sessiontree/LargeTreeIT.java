package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tree about as large as the server's heap, and clients that read it slowly. */
class LargeTreeIT {
  private static final String ID = "large";
  private static final int MESSAGES = 120;
  private static final int EVENTS = 50; // per message
  private static final int NAME_BYTES = 10_000;
  private static final int READERS = 16;
  private static final int DEAF = 400;
  private static final int PART_BYTES = 256 << 10;

  @TempDir static Path folder;
  private static JarServer server;
  private static long treeBytes;
  private static long treeCrc;

  /** Stores a tree of some 60 MB, half of that in gzip, in which no two parts are the same. */
  @BeforeAll
  static void startServer() throws Exception {
    server = JarServer.of(folder.resolve("store")).java("-Xmx64m").start();
    CRC32C crc = new CRC32C();
    Random random = new Random(1);
    count(crc, "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972090,\"children\":[");
    try (RawStream stream = RawStream.connect(server.port(), ID)) {
      stream.next("OPEN");
      stream.send(message(start(ID)));
      for (int m = 0; m < MESSAGES; m++) {
        String[] events = new String[EVENTS];
        for (int e = 0; e < EVENTS; e++) {
          byte[] name = new byte[NAME_BYTES / 2];
          random.nextBytes(name);
          events[e] = event("" + (m * EVENTS + e), HexFormat.of().formatHex(name));
          count(crc, (m == 0 && e == 0 ? "" : ",") + events[e]);
        }
        stream.send(message(events));
        stream.ack(m + 2);
      }
      stream.send(message(end(ID)));
      stream.complete();
    }
    count(crc, "]}");
    treeCrc = crc.getValue();
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private static void count(CRC32C crc, String part) {
    byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
    crc.update(bytes);
    treeBytes += bytes.length;
  }

  /** A client that has requested the tree, and buffers little of it before it is read. */
  private static final class Reader implements AutoCloseable {
    private final Socket socket = new Socket();
    private final CRC32C crc = new CRC32C();
    private final byte[] part = new byte[PART_BYTES];
    private final boolean gzip;
    private InputStream body;
    private long bytes;

    Reader(boolean gzip) throws IOException {
      this.gzip = gzip;
      socket.setReceiveBufferSize(16 << 10);
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
      socket.setSoTimeout(30_000);
      String coding = gzip ? "gzip" : "identity";
      String head = // HTTP/1.0, so that the body is not chunked
          "GET /sessions/%s HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n"
              .formatted(ID, coding);
      socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    }

    /** Reads one part; returns false at the end of the body. */
    boolean read() throws IOException {
      if (body == null) {
        body = afterHead();
      }
      int read = body.readNBytes(part, 0, part.length);
      crc.update(part, 0, read);
      bytes += read;
      return read == part.length;
    }

    private InputStream afterHead() throws IOException {
      InputStream in = socket.getInputStream();
      StringBuilder head = new StringBuilder();
      while (head.indexOf("\r\n\r\n") < 0) {
        head.append((char) in.read());
      }
      assertThat(head.toString()).startsWith("HTTP/1.1 200");
      assertThat(head.toString().contains("gzip")).as(head.toString()).isEqualTo(gzip);
      return gzip ? new GZIPInputStream(in, 8 << 10) : in;
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private static void closeAll(List<Reader> readers) throws IOException {
    for (Reader reader : readers) {
      reader.close();
    }
  }

  @Test
  void slowReaders_plainAndGzip_manyAtOnce_getTheRightBytes() throws Exception {
    List<Reader> readers = new ArrayList<>();
    try {
      for (int i = 0; i < READERS; i++) {
        readers.add(new Reader(i % 2 == 0));
      }
      for (boolean more = true; more; ) { // in turn, so that all are served concurrently
        more = false;
        for (Reader reader : readers) {
          more |= reader.read();
        }
      }
      for (Reader reader : readers) {
        assertThat(reader.bytes).isEqualTo(treeBytes);
        assertThat(reader.crc.getValue()).isEqualTo(treeCrc);
      }
    } finally {
      closeAll(readers);
    }
  }

  @Test
  void clientsThatDoNotReadTheirResponses_keepNobodyWaiting() throws Exception {
    List<Reader> deaf = new ArrayList<>();
    try {
      for (int i = 0; i < DEAF; i++) {
        deaf.add(new Reader(i % 8 == 0));
      }
      Await.until("all are connected", () -> Scrape.of(server).own("connections") >= DEAF);
      for (int i = 0; i < 10; i++) {
        String id = "other" + i;
        RawHttp stored =
            RawHttp.post(server.port(), "/sessions/" + id + "/events", message(start(id), end(id)));
        assertThat(stored.status()).as(stored.body()).isEqualTo(200);
        RawHttp read = RawHttp.get(server.port(), "/sessions/" + id);
        assertThat(read.body()).isEqualTo(Entries.tree());
      }
      try (Reader reader = new Reader(false)) {
        while (reader.read()) {}
        assertThat(reader.crc.getValue()).isEqualTo(treeCrc);
      }
    } finally {
      closeAll(deaf);
    }
  }
}
