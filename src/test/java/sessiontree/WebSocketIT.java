package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * RFC 6455 and RFC 7692 as a client sees them, in the groups of the Autobahn test suite: 1 framing,
 * 2 pings, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 9 limits, 12 and 13
 * compression. That suite expects an echo; here a message is an event, which the tree returns.
 */
class WebSocketIT {
  private static final String DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  private static final int RSV1 = 0x40;

  @TempDir static Path folder;
  private static JarServer server;

  private final String id = newId();

  @BeforeAll
  static void startServer() throws Exception {
    server = JarServer.start(folder.resolve("store"));
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  /** Opens a stream with further header lines, and reads its OPEN. */
  private RawStream connect(String headers) throws IOException {
    RawStream stream = RawStream.connect(server.port(), id, "", headers);
    stream.readPastPings(); // OPEN, maybe compressed
    return stream;
  }

  /** Opens a stream and starts the session. */
  private RawStream begin() throws Exception {
    RawStream stream = connect("");
    stream.send(message(start(id)));
    stream.ack(1);
    return stream;
  }

  private void assertStored(RawStream stream, String... events) throws Exception {
    stream.send(message(end(id)));
    stream.complete();
    assertThat(stream.closeCode()).isEqualTo(1000);
    assertThat(RawHttp.get(server.port(), "/sessions/" + id).body()).isEqualTo(tree(events));
  }

  /** Returns an event whose message has {@code messageBytes} bytes. */
  private static String eventOf(int messageBytes) {
    int rest = messageBytes - message(event("1", "x")).length();
    return event("1", "x" + "y".repeat(rest));
  }

  private static byte[] close(int code, String reason) {
    byte[] text = reason.getBytes(UTF_8);
    return ByteBuffer.allocate(2 + text.length).putShort((short) code).put(text).array();
  }

  // 1: framing

  @ParameterizedTest
  @ValueSource(ints = {64, 125, 126, 127, 128, 65_535, 65_536, 1 << 20})
  void messageOfAnyLength_isTaken_asTextAndBinary_wholeOrInChops(int bytes) throws Exception {
    String event = eventOf(bytes);
    byte[] payload = message(event).getBytes(UTF_8);
    assertThat(payload).hasSize(bytes);
    try (RawStream stream = begin()) {
      stream.send(RawStream.TEXT, true, payload);
      stream.send(RawStream.BINARY, true, payload);
      byte[] frame = RawStream.frame(RawStream.TEXT, true, payload);
      for (int at = 0; at < frame.length; at += 997) {
        stream.write(Arrays.copyOfRange(frame, at, Math.min(frame.length, at + 997)));
      }
      assertStored(stream, event, event, event);
    }
  }

  @Test
  void emptyMessages_areRefusedAsMessages_notAsFrames() throws Exception {
    try (RawStream stream = begin()) {
      stream.send(RawStream.TEXT, true, new byte[0]);
      assertThat(stream.next("ERROR").path("code").asText()).isEqualTo("invalid_json");
      stream.send(RawStream.BINARY, true, new byte[0]);
      assertThat(stream.next("ERROR").path("code").asText()).isEqualTo("invalid_json");
      assertStored(stream);
    }
  }

  // 2: pings

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 125})
  void ping_getsAPongWithItsPayload(int bytes) throws Exception {
    byte[] payload = new byte[bytes];
    new Random(bytes).nextBytes(payload);
    try (RawStream stream = begin()) {
      stream.send(RawStream.PING, true, payload);
      RawStream.Frame pong = stream.readPastPings();
      assertThat(pong.opcode()).isEqualTo(RawStream.PONG);
      assertThat(pong.payload()).isEqualTo(payload);
      assertStored(stream);
    }
  }

  @Test
  void lastOfManyPings_getsAPong_andPongsThatNobodyAskedForGetNothing() throws Exception {
    try (RawStream stream = begin()) {
      stream.send(RawStream.PONG, true, new byte[] {7});
      for (int i = 0; i <= 100; i++) {
        stream.send(RawStream.PING, true, new byte[] {(byte) i});
      }
      RawStream.Frame pong = stream.readPastPings();
      while (pong.payload()[0] != 100) {
        assertThat(pong.opcode()).isEqualTo(RawStream.PONG);
        pong = stream.readPastPings();
      }
      assertStored(stream);
    }
  }

  // 3 to 5: protocol violations

  /** Returns bytes that no client may send. Each is sent after a message has been stored. */
  static Stream<byte[]> violations() {
    byte[] event = message(event("1", "x")).getBytes(UTF_8);
    IntStream reserved =
        IntStream.of(0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70).map(bits -> bits | RawStream.TEXT);
    IntStream opcodes = IntStream.of(3, 4, 5, 6, 7, 11, 12, 13, 14, 15);
    Stream<byte[]> frames =
        IntStream.concat(reserved, opcodes).mapToObj(op -> RawStream.frame(op, true, event));
    return Stream.concat(
        frames,
        Stream.of(
            RawStream.frame(RSV1 | RawStream.PING, true, new byte[1]),
            RawStream.frame(RawStream.PING, true, new byte[126]),
            RawStream.frame(RawStream.PING, false, new byte[1]),
            RawStream.frame(RawStream.PONG, false, new byte[1]),
            RawStream.frame(RawStream.CONTINUATION, true, event),
            RawStream.frame(RawStream.CONTINUATION, false, event),
            both(
                RawStream.frame(RawStream.TEXT, false, event),
                RawStream.frame(RawStream.TEXT, true, event)),
            both(
                RawStream.frame(RawStream.TEXT, false, event),
                RawStream.frame(RawStream.BINARY, true, event)),
            new byte[] {(byte) 0x81, 2, '[', ']'}, // not masked
            RawStream.frame(RawStream.CLOSE, true, new byte[1]),
            RawStream.frame(RawStream.CLOSE, true, close(1000, "x".repeat(124)))));
  }

  private static byte[] both(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  @ParameterizedTest
  @MethodSource("violations")
  void whatBreaksTheProtocol_closesWith1002_andWhatCameBeforeIsStored(byte[] bytes)
      throws Exception {
    try (RawStream stream = begin()) {
      stream.write(bytes);
      assertThat(stream.closeCode()).isEqualTo(1002);
    }
    try (RawStream stream = RawStream.connect(server.port(), id)) {
      assertThat(stream.next("OPEN").path("entries").asLong()).isEqualTo(1);
      assertStored(stream);
    }
  }

  // 5 and 6: fragments, control frames between them, and UTF-8 that is cut anywhere

  @Test
  void fragmentsCutAnywhere_withPingsBetween_makeTheMessage() throws Exception {
    String event = event("1", "\u00e9\u0800\uffff\ud800\udc00\udbff\udfff");
    byte[] payload = message(event).getBytes(UTF_8);
    try (RawStream stream = begin()) {
      for (int cut = 0; cut <= payload.length; cut++) {
        stream.send(RawStream.TEXT, false, Arrays.copyOf(payload, cut));
        stream.send(RawStream.PING, true, new byte[] {(byte) cut});
        stream.send(RawStream.CONTINUATION, false, new byte[0]);
        stream.send(RawStream.CONTINUATION, true, Arrays.copyOfRange(payload, cut, payload.length));
        boolean pong = false;
        boolean ack = false;
        while (!pong || !ack) {
          RawStream.Frame frame = stream.readPastPings();
          pong |= frame.opcode() == RawStream.PONG;
          ack |= new String(frame.payload(), UTF_8).contains("\"messages\":" + (cut + 2));
        }
      }
      String[] events = new String[payload.length + 1];
      Arrays.fill(events, event);
      assertStored(stream, events);
    }
  }

  static Stream<byte[]> notUtf8() {
    return Stream.of(
            "80",
            "bf",
            "c0af",
            "e080af",
            "f08080af",
            "f8888080af",
            "c1bf",
            "e09fbf",
            "f08fbfbf",
            "eda080",
            "edbfbf",
            "eda080edb080",
            "f4908080",
            "fe",
            "ff",
            "c3",
            "e282",
            "f09f98")
        .map(hex -> java.util.HexFormat.of().parseHex(hex));
  }

  @ParameterizedTest
  @MethodSource("notUtf8")
  void textThatIsNotUtf8_closesWith1007_whereverItIsCut(byte[] bytes) throws Exception {
    byte[] payload = both(both("[\"".getBytes(UTF_8), bytes), "\"]".getBytes(UTF_8));
    for (int cut = 0; cut <= payload.length; cut++) {
      try (RawStream stream = connect("")) {
        stream.send(RawStream.TEXT, false, Arrays.copyOf(payload, cut));
        stream.send(RawStream.CONTINUATION, true, Arrays.copyOfRange(payload, cut, payload.length));
        assertThat(stream.closeCode()).isEqualTo(1007);
      }
    }
  }

  // 7: closing

  @ParameterizedTest
  @ValueSource(
      ints = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999})
  void validCloseCode_isEchoed_afterAllAcks(int code) throws Exception {
    try (RawStream stream = connect("")) {
      stream.send(message(start(id)));
      stream.send(message(event("1", "x")));
      stream.send(RawStream.CLOSE, true, close(code, "x".repeat(123)));
      stream.ack(2);
      assertThat(stream.closeCode()).isEqualTo(code);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535})
  void invalidCloseCode_isAProtocolError(int code) throws Exception {
    try (RawStream stream = begin()) {
      stream.send(RawStream.CLOSE, true, close(code, ""));
      assertThat(stream.closeCode()).isEqualTo(1002);
    }
  }

  /** Jetty may omit its own close frame, which is acceptable as the client broke the protocol. */
  @Test
  void framesAfterAClose_getNoAck_andAreNotStored() throws Exception {
    try (RawStream stream = begin()) {
      byte[] behind =
          both(
              RawStream.frame(RawStream.PING, true, new byte[0]),
              RawStream.frame(RawStream.TEXT, true, message(end(id)).getBytes(UTF_8)));
      stream.write(both(RawStream.frame(RawStream.CLOSE, true, close(1000, "")), behind));
      assertThat(stream.closeCode()).isEqualTo(1000);
    } catch (EOFException e) {
      // closed without a close frame
    }
    assertThat(RawHttp.get(server.port(), "/sessions/" + id).body()).contains("\"entries\":1}");
  }

  @Test
  void closeWithoutACode_isEchoed() throws Exception {
    try (RawStream stream = begin()) {
      stream.send(RawStream.CLOSE, true, new byte[0]);
      RawStream.Frame close = stream.readPastPings();
      assertThat(close.opcode()).isEqualTo(RawStream.CLOSE);
      assertThat(close.payload()).isEmpty();
    }
  }

  @Test
  void closeWhoseReasonIsNotUtf8_closesTheConnection() throws Exception {
    try (RawStream stream = begin()) {
      stream.send(RawStream.CLOSE, true, new byte[] {3, (byte) 0xe8, (byte) 0xc3, 0x28});
      assertThat(stream.closeCode()).isIn(1002, 1007);
    }
  }

  // 12 and 13: compression

  @ParameterizedTest
  @ValueSource(
      strings = {
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=\"15\"",
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9, permessage-deflate",
        "x-webkit-deflate-frame, permessage-deflate"
      })
  void compression_isTakenWhenOffered_withoutAWindowBetweenMessages(String offer) throws Exception {
    try (RawStream stream = connect("Sec-WebSocket-Extensions: " + offer + "\r\n")) {
      assertThat(stream.header("sec-websocket-extensions"))
          .contains("permessage-deflate")
          .contains("client_no_context_takeover")
          .contains("server_no_context_takeover")
          .doesNotContain("window_bits");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; unheard_of",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_no_context_takeover=true",
        "fragment; maxLength=1",
        "identity",
        "@validation",
        "permessage-bzip2"
      })
  void otherExtensions_areNotTaken_andTheStreamIs(String offer) throws Exception {
    try (RawStream stream = connect("Sec-WebSocket-Extensions: " + offer + "\r\n")) {
      assertThat(stream.header("sec-websocket-extensions")).isNull();
      stream.send(message(start(id)));
      assertStored(stream);
    }
  }

  private static byte[] deflated(byte[] payload, int level) {
    Deflater deflater = new Deflater(level, true);
    deflater.setInput(payload);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] buffer = new byte[4096];
    for (int n; (n = deflater.deflate(buffer, 0, buffer.length, Deflater.SYNC_FLUSH)) > 0; ) {
      out.write(buffer, 0, n);
    }
    deflater.end();
    byte[] bytes = out.toByteArray();
    return Arrays.copyOf(bytes, bytes.length - 4); // RFC 7692, section 7.2.1
  }

  private static String text(RawStream.Frame frame) throws DataFormatException {
    if ((frame.first() & RSV1) == 0) {
      return new String(frame.payload(), UTF_8);
    }
    Inflater inflater = new Inflater(true);
    inflater.setInput(both(frame.payload(), new byte[] {0, 0, (byte) 0xff, (byte) 0xff}));
    byte[] out = new byte[64 << 10];
    int n = inflater.inflate(out);
    inflater.end();
    return new String(out, 0, n, UTF_8);
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 127, 4_096, 65_536, 1 << 20})
  void compressedMessages_ofAnyLength_wholeAndInFragments_areTaken(int bytes) throws Exception {
    String event = eventOf(bytes);
    byte[] payload = message(event).getBytes(UTF_8);
    try (RawStream stream = connect(DEFLATE)) {
      stream.send(message(start(id))); // not compressed
      int sent = 0;
      for (int level : new int[] {0, 1, 6, 9}) {
        byte[] deflated = deflated(payload, level);
        stream.send(RSV1 | RawStream.TEXT, true, deflated);
        int half = deflated.length / 2;
        stream.send(RSV1 | RawStream.TEXT, false, Arrays.copyOf(deflated, half));
        stream.send(RawStream.PING, true, new byte[0]);
        stream.send(
            RawStream.CONTINUATION, true, Arrays.copyOfRange(deflated, half, deflated.length));
        sent += 2;
      }
      stream.send(RSV1 | RawStream.TEXT, true, deflated(message(end(id)).getBytes(UTF_8), 6));
      String said = "";
      while (!said.contains("COMPLETE")) {
        said = text(stream.readPastPings());
      }
      assertThat(new ObjectMapper().readTree(said).path("entries").asInt()).isEqualTo(sent + 2);
      String[] events = new String[sent];
      Arrays.fill(events, event);
      assertThat(RawHttp.get(server.port(), "/sessions/" + id).body()).isEqualTo(tree(events));
    }
  }

  @Test
  void smallMessageThatInflatesToMoreThanTheLimit_isTooBig_andClosesWith1009() throws Exception {
    byte[] bomb = deflated(new byte[64 << 20], 9);
    assertThat(bomb.length).isLessThan(1 << 17);
    try (RawStream stream = connect(DEFLATE)) {
      stream.send(RSV1 | RawStream.TEXT, true, bomb);
      assertThat(text(stream.readPastPings())).contains("\"message_too_big\"");
      assertThat(stream.closeCode()).isEqualTo(1009);
    }
  }

  @Test
  void compressedFramesThatAreNotWellFormed_closeTheConnection() throws Exception {
    byte[] event = deflated(message(start(id)).getBytes(UTF_8), 6);
    try (RawStream stream = connect(DEFLATE)) { // RSV1 belongs on a first frame only
      stream.send(RSV1 | RawStream.TEXT, false, event);
      stream.send(RSV1 | RawStream.CONTINUATION, true, new byte[0]);
      assertThat(stream.closeCode()).isEqualTo(1002);
    }
    try (RawStream stream = connect(DEFLATE)) {
      byte[] noDeflate = new byte[100];
      Arrays.fill(noDeflate, (byte) 0xff);
      stream.send(RSV1 | RawStream.TEXT, true, noDeflate);
      byte[] close = stream.readPastPings().payload();
      assertThat(close).startsWith(1007 >> 8, 1007 & 0xff);
      assertThat(new String(close, 2, close.length - 2, UTF_8)).isEqualTo("not valid DEFLATE");
    }
    assertThat(RawHttp.get(server.port(), "/sessions/" + id).status()).isEqualTo(404);
  }

  // The handshake

  @ParameterizedTest
  @ValueSource(strings = {"", "AAAA", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=", "?"})
  void keyThatIsNot16Bytes_isRefused(String key) throws Exception {
    String upgrade = RawHttp.UPGRADE.replaceFirst("Key: .*", "Key: " + key);
    assertThat(RawHttp.send(server.port(), "GET /sessions/" + id + "/stream", upgrade, "").status())
        .isEqualTo(400);
  }
}
