package sessiontree;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client of {@code /sessions/{id}/stream} can rely on. */
class StreamIT {
  private static final int MAX_MESSAGE_BYTES = 10_000;
  private static final byte[] NOT_UTF8 = {'[', '"', (byte) 0xc3, (byte) 0x28, '"', ']'};

  @TempDir static Path folder;
  private static JarServer server;

  private final String id = newId();

  @BeforeAll
  static void startServer() throws Exception {
    server =
        JarServer.start(folder.resolve("store"), "--max-message-bytes", "" + MAX_MESSAGE_BYTES);
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  private StreamClient connect() throws IOException, InterruptedException {
    return StreamClient.connect(server.port(), id);
  }

  private StreamClient connect(String writer) throws IOException, InterruptedException {
    return StreamClient.connect(server.port(), id, writer);
  }

  private RawStream connectRaw() throws IOException {
    return RawStream.connect(server.port(), id);
  }

  private RawHttp get() throws IOException {
    return RawHttp.get(server.port(), "/sessions/" + id);
  }

  private static void assertOpen(JsonNode open, String id, long entries, long messages) {
    assertThat(open.toString())
        .isEqualTo(
            "{\"type\":\"OPEN\",\"session_id\":\"%s\",\"entries\":%d,\"messages\":%d}"
                .formatted(id, entries, messages));
  }

  private static void assertComplete(JsonNode complete, String id, long messages, long entries) {
    assertThat(complete.toString())
        .isEqualTo(
            "{\"type\":\"COMPLETE\",\"session_id\":\"%s\",\"messages\":%d,\"entries\":%d,\"location\":\"/sessions/%s\"}"
                .formatted(id, messages, entries, id));
  }

  private void assertTree(String... children) throws IOException {
    assertThat(get().body()).isEqualTo(tree(children));
  }

  @Test
  void aSession_streamedOutOfOrderWithTrailingCommas_comesBackSortedByteForByte() throws Exception {
    String id = "e6fa79ca-d142-4046-a134-5134f16a0b5e";
    try (StreamClient client = StreamClient.connect(server.port(), id)) {
      assertOpen(client.next(), id, 0, 0);
      client.send(
          """
          [
            {
              "timestamp": 1569972082,
              "type": "SESSION_START",
              "session_id": "e6fa79ca-d142-4046-a134-5134f16a0b5e",
            },
            {
              "timestamp": 1569972085,
              "type": "EVENT",
              "name": "basket_removed",
            },
          ]
          """);
      client.send(
          """
          [
            {
              "timestamp": 1569972083,
              "type": "EVENT",
              "name": "cart_loaded",
            }
          ]
          """);
      client.send(
          """
          [
            {
              "timestamp": 1569972090,
              "type": "SESSION_END",
              "session_id": "e6fa79ca-d142-4046-a134-5134f16a0b5e"
            }
          ]
          """);
      assertComplete(client.complete(), id, 3, 4);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
    RawHttp reply = RawHttp.get(server.port(), "/sessions/" + id);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.headers()).containsEntry("content-type", "application/json");
    assertThat(reply.body())
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972090,\"children\":["
                + "{\"type\":\"EVENT\",\"timestamp\":1569972083,\"name\":\"cart_loaded\"},"
                + "{\"type\":\"EVENT\",\"timestamp\":1569972085,\"name\":\"basket_removed\"}]}");
  }

  @Test
  void ack_countsMessagesOfTheConnectionAndEntriesOfTheSession() throws Exception {
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 0, 0);
      client.send(message(start(id)));
      assertThat(client.next().toString())
          .isEqualTo("{\"type\":\"ACK\",\"messages\":1,\"entries\":1}");
      client.send(message(event("1", "a"), event("2", "b"), event("3", "c")));
      assertThat(client.next().toString())
          .isEqualTo("{\"type\":\"ACK\",\"messages\":2,\"entries\":4}");
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 4, 0);
      client.send(message(event("4", "d")));
      assertThat(client.next().toString())
          .isEqualTo("{\"type\":\"ACK\",\"messages\":1,\"entries\":5}");
    }
  }

  @Test
  void children_areOrderedByValueToTheNanosecond_andTiesAsStored() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), event("10.5", "a"), event("9.000000002", "b")));
      client.send(message(event("9.0000000019", "c"), event("1.05e1", "d"), event("0", "e")));
      client.send(message(event("10.50", "f"), event("9.0000000020", "g"), event("9", "h")));
      client.send(
          message(event("9223372035.999999999", "i"), event("9.00000000299", "j"), end(id)));
      client.complete();
    }
    assertTree(
        event("0", "e"),
        event("9", "h"),
        event("9.0000000019", "c"),
        event("9.000000002", "b"),
        event("9.0000000020", "g"),
        event("9.00000000299", "j"),
        event("10.5", "a"),
        event("1.05e1", "d"),
        event("10.50", "f"),
        event("9223372035.999999999", "i"));
  }

  @Test
  void additionalMembers_comeBackUnchangedAfterTheName() throws Exception {
    String members =
        "\"z\":1.10,\"a\":-0.0e+400,\"n\":12345678901234567890.12345678901234567890,"
            + "\"s\":\"\\u00e9\\/\\n é 😀 \\ud800\",\"o\":{\"b\":[],\"b\":[null,true,{}],\"\":\"\"},\"x\":null";
    String sent =
        "{%s,\"name\":\"\\u0041\",\"type\":\"EVENT\",\"timestamp\":5,\"session_id\":\"%s\"}"
            .formatted(members, id);
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), sent, end(id)));
      client.complete();
    }
    assertTree("{\"type\":\"EVENT\",\"timestamp\":5,\"name\":\"\\u0041\",%s}".formatted(members));
  }

  @Test
  void emptySession_hasNoChildren() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), end(id)));
      assertComplete(client.complete(), id, 1, 2);
    }
    assertThat(get().body())
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":1569972090,\"children\":[]}");
  }

  @Test
  void eventsOutsideTheBounds_andAnEndBeforeTheStart_areKept() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), event("1", "before"), event("2000000000", "after")));
      client.send(message(Entries.bound("SESSION_END", "7", id)));
      assertComplete(client.complete(), id, 2, 4);
    }
    assertThat(get().body())
        .isEqualTo(
            "{\"type\":\"SESSION\",\"start\":1569972082,\"end\":7,\"children\":[%s,%s]}"
                .formatted(event("1", "before"), event("2000000000", "after")));
  }

  /** Messages that an open session refuses, with the code and pointer (or null) of the error. */
  static Stream<Arguments> refused() {
    String event = "{\"type\":\"EVENT\",\"timestamp\":1,\"name\":\"a\"}";
    String deepest = "[".repeat(98) + "]".repeat(98);
    return Stream.of(
        Arguments.of("", "invalid_json", null),
        Arguments.of("[", "invalid_json", null),
        Arguments.of("[" + event + "] x", "invalid_json", null),
        Arguments.of("[" + event + "]" + "[" + event + "]", "invalid_json", null),
        Arguments.of("[" + event + ",,]", "invalid_json", null),
        Arguments.of("[,]", "invalid_json", null),
        Arguments.of("[" + event + "/* a comment */]", "invalid_json", null),
        Arguments.of("[" + event + "] // a comment", "invalid_json", null),
        Arguments.of("[" + event.replace('"', '\'') + "]", "invalid_json", null),
        Arguments.of("[{type:\"EVENT\",\"timestamp\":1,\"name\":\"a\"}]", "invalid_json", null),
        Arguments.of(
            "[{\"type\":\"EVENT\",\"timestamp\":NaN,\"name\":\"a\"}]", "invalid_json", null),
        Arguments.of(
            "[{\"type\":\"EVENT\",\"timestamp\":01,\"name\":\"a\"}]", "invalid_json", null),
        Arguments.of(
            "[{\"type\":\"EVENT\",\"timestamp\":+1,\"name\":\"a\"}]", "invalid_json", null),
        Arguments.of(
            "[{\"type\":\"EVENT\",\"timestamp\":1,\"name\":\"a\tb\"}]", "invalid_json", null),
        Arguments.of(with("1", "\"m\":[" + deepest + "]"), "invalid_json", "?"),
        Arguments.of(with("1", "\"m\":" + "1".repeat(1001)), "invalid_json", "?"),
        Arguments.of(with("1", "\"m\":0." + "1".repeat(999)), "invalid_json", "?"),
        Arguments.of("{}", "invalid_message", "?"),
        Arguments.of("null", "invalid_message", "?"),
        Arguments.of(event, "invalid_message", "?"),
        Arguments.of("[]", "invalid_message", "?"),
        Arguments.of("[" + event + ",null]", "invalid_entry", "/1"),
        Arguments.of("[[" + event + "]]", "invalid_entry", "/0"),
        Arguments.of("[{}]", "invalid_entry", "/0"),
        Arguments.of("[{\"timestamp\":1,\"name\":\"a\"}]", "invalid_entry", "/0"),
        Arguments.of("[{\"type\":\"EVENT\",\"name\":\"a\"}]", "invalid_entry", "/0"),
        Arguments.of("[{\"type\":\"EVENT\",\"timestamp\":1}]", "invalid_entry", "/0"),
        Arguments.of("[{\"type\":\"SESSION_END\",\"timestamp\":1}]", "invalid_entry", "/0"),
        Arguments.of("[" + event("1", "") + "]", "invalid_entry", "/0/name"),
        Arguments.of(
            "[{\"type\":\"EVENT\",\"timestamp\":1,\"name\":1}]", "invalid_entry", "/0/name"),
        Arguments.of(
            "[{\"type\":\"Event\",\"timestamp\":1,\"name\":\"a\"}]", "invalid_entry", "/0/type"),
        Arguments.of("[{\"type\":1,\"timestamp\":1,\"name\":\"a\"}]", "invalid_entry", "/0/type"),
        Arguments.of(with("1", "\"m\":1,\"m\":1"), "invalid_entry", "/0/m"),
        Arguments.of(with("1", "\"a/~b\":1,\"a/~b\":1"), "invalid_entry", "/0/a~1~0b"),
        Arguments.of(with("1", "\"name\":\"a\""), "invalid_entry", "/0/name"),
        Arguments.of(with("1", "\"timestamp\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("\"1\"", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("null", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("-1", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("-0.000000001", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("9223372036", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(with("1e999999999", "\"m\":1"), "invalid_entry", "/0/timestamp"),
        Arguments.of(
            "[" + event + "," + start("another") + "]", "session_id_mismatch", "/1/session_id"),
        Arguments.of(
            with("1", "\"session_id\":\"another\""), "session_id_mismatch", "/0/session_id"),
        Arguments.of("[" + end("another") + "]", "session_id_mismatch", "/0/session_id"));
  }

  /** Returns a message of one EVENT. */
  private static String with(String timestamp, String member) {
    return "[{\"type\":\"EVENT\",\"timestamp\":%s,\"name\":\"a\",%s}]".formatted(timestamp, member);
  }

  @ParameterizedTest
  @MethodSource("refused")
  void refusedMessage_getsCodeAndPointer_andLeavesNoTrace(
      String refused, String code, String pointer) throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.ack(1);
      client.send(refused);
      JsonNode error = client.next("ERROR");
      assertThat(error.path("message").asLong()).isEqualTo(2);
      assertThat(error.path("code").asText()).as(error.toString()).isEqualTo(code);
      assertThat(error.path("detail").asText()).isNotBlank();
      if (!"?".equals(pointer)) { // "?": the contract specifies no pointer
        assertThat(error.path("pointer").asText(null)).as(error.toString()).isEqualTo(pointer);
      }
      client.send(message(event("3", "c"), end(id)));
      assertComplete(client.complete(), id, 3, 3);
    }
    assertTree(event("3", "c"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"100000000000", "1569972083000", "1.569972083e12"})
  void timestampInMilliseconds_isNamedAsSuch(String timestamp) throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), event(timestamp, "a")));
      JsonNode error = client.next("ERROR");
      assertThat(error.path("code").asText()).isEqualTo("invalid_entry");
      assertThat(error.path("pointer").asText()).isEqualTo("/1/timestamp");
      assertThat(error.path("detail").asText()).contains("milliseconds");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"9223372036", "99999999999"})
  void timestampThatIsTooLarge_isNotTakenForMilliseconds(String timestamp) throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), event(timestamp, "a")));
      assertThat(client.next("ERROR").path("detail").asText()).doesNotContain("milliseconds");
    }
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void messageAtALimit_isStored(String accepted, String child) throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(accepted);
      client.send(message(end(id)));
      assertComplete(client.complete(), id, 3, 3);
    }
    assertTree(child);
  }

  static Stream<Arguments> accepted() {
    String longest = with("1", "\"m\":\"%s\"");
    String filler = "x".repeat(MAX_MESSAGE_BYTES - longest.length() + 2);
    return Stream.of(
            with("1", "\"m\":" + "[".repeat(98) + "]".repeat(98)),
            with("1", "\"m\":" + "1".repeat(1000)),
            with("9223372035.9999999999", "\"m\":1"),
            with("0", "\"m\":1"),
            with("0.0000000000001e1", "\"m\":1"),
            longest.formatted(filler))
        .map(accepted -> Arguments.of(accepted, accepted.substring(1, accepted.length() - 1)));
  }

  @Test
  void messageBeforeSessionStart_isRefused_andTheSessionStaysNew() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(event("1", "a"), start(id)));
      JsonNode error = client.next("ERROR");
      assertThat(error.path("code").asText()).isEqualTo("session_not_started");
      assertThat(error.path("pointer").asText()).isEqualTo("/0");
      assertThat(get().status()).isEqualTo(404);
      client.send(message(start(id), event("1", "a")));
      assertThat(client.ack(2).path("entries").asLong()).isEqualTo(2);
    }
  }

  @Test
  void entryAfterSessionEnd_refusesTheWholeMessage() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.ack(1);
      client.send(message(event("1", "a"), end(id), event("2", "b")));
      JsonNode error = client.next("ERROR");
      assertThat(error.path("code").asText()).isEqualTo("entry_after_end");
      assertThat(error.path("pointer").asText()).isEqualTo("/2");
      assertThat(get().status()).isEqualTo(409);
      client.send(message(event("3", "c")));
      assertThat(client.ack(3).path("entries").asLong()).isEqualTo(2);
    }
  }

  @Test
  void sessionStart_ofTheStoredTimestampByValue_isARetry_andIsNotCounted() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(Entries.bound("SESSION_START", "1569972082.000", id)));
      assertThat(client.ack(2).path("entries").asLong()).isEqualTo(1);
      client.send(
          message(event("1", "a"), Entries.bound("SESSION_START", "1.569972082e9", id), start(id)));
      assertThat(client.ack(3).path("entries").asLong()).isEqualTo(2);
      client.send(message(end(id)));
      assertComplete(client.complete(), id, 4, 3);
    }
    assertTree(event("1", "a"));
  }

  @Test
  void sessionStart_ofAnotherTimestamp_isRefused() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), Entries.bound("SESSION_START", "5", id)));
      JsonNode both = client.next("ERROR");
      assertThat(both.path("code").asText()).isEqualTo("session_already_started");
      assertThat(both.path("pointer").asText()).isEqualTo("/1");
      assertThat(get().status()).isEqualTo(404);
      client.send(message(start(id)));
      client.ack(2);
      client.send(message(event("1", "a"), Entries.bound("SESSION_START", "5", id)));
      JsonNode later = client.next("ERROR");
      assertThat(later.path("code").asText()).isEqualTo("session_already_started");
      assertThat(later.path("pointer").asText()).isEqualTo("/1");
      client.send(message(end(id)));
      assertComplete(client.complete(), id, 4, 2);
    }
  }

  @Test
  void furtherMembersOfStartAndEnd_areIgnored() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id).replace("}", ",\"name\":1,\"m\":{\"n\":[1]}}")));
      client.send(message(end(id).replace("}", ",\"name\":\"\",\"m\":null}")));
      client.complete();
    }
    assertTree();
  }

  @Test
  void getOfTheLocation_gets200_asSoonAsCompleteCame() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id), event("1", "a"), end(id)));
      String location = client.complete().path("location").asText();
      assertThat(RawHttp.get(server.port(), location).status()).isEqualTo(200);
    }
  }

  @Test
  void messagesBehindSessionEnd_areNotStored() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(end(id)));
      client.send(message(event("1", "late")));
      client.send(message(event("2", "later")));
      JsonNode reply = client.next();
      while (!reply.path("type").asText().equals("COMPLETE")) {
        if (reply.path("type").asText().equals("ERROR")) {
          assertThat(reply.path("code").asText()).isEqualTo("session_complete");
          assertThat(reply.path("message").asLong()).isGreaterThan(2);
        }
        reply = client.next();
      }
      assertThat(reply.path("entries").asLong()).isEqualTo(2);
      assertThat(reply.path("messages").asLong()).isGreaterThanOrEqualTo(2);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
    assertTree();
  }

  @Test
  void connectionsOfOneSession_feedOneTree_andAllGetComplete() throws Exception {
    try (StreamClient first = connect();
        StreamClient second = connect();
        StreamClient idle = connect("idle")) {
      assertOpen(first.next(), id, 0, 0);
      assertOpen(second.next(), id, 0, 0);
      assertOpen(idle.next(), id, 0, 0);
      first.send(message(start(id)));
      first.ack(1);
      second.send(message(start(id), event("3", "second")));
      assertThat(second.ack(1).path("entries").asLong()).isEqualTo(2);
      first.send(message(event("2", "first")));
      first.ack(2);
      second.send(message(event("1", "second"), end(id)));
      assertComplete(second.complete(), id, 2, 5);
      assertComplete(first.complete(), id, 2, 5);
      assertComplete(idle.complete(), id, 0, 5);
      assertThat(second.closeCode()).isEqualTo(1000);
      assertThat(first.closeCode()).isEqualTo(1000);
      assertThat(idle.closeCode()).isEqualTo(1000);
    }
    assertTree(event("1", "second"), event("2", "first"), event("3", "second"));
  }

  @Test
  void connectingToACompleteSession_getsCompleteAtOnce() throws Exception {
    try (StreamClient client = connect("w")) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(event("1", "a"), end(id)));
      client.complete();
    }
    try (StreamClient client = connect()) {
      assertComplete(client.next(), id, 0, 3);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
    try (StreamClient client = connect("w")) {
      assertComplete(client.next(), id, 2, 3);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
  }

  @Test
  void writer_goesOnFromItsLastStoredMessage() throws Exception {
    try (StreamClient client = connect("w")) {
      assertOpen(client.next(), id, 0, 0);
      client.send(message(start(id)));
      client.send(message(event("1", "a")));
      client.ack(2);
    }
    try (StreamClient client = connect("w")) {
      assertOpen(client.next(), id, 2, 2);
      client.send(message(event("2", "b")));
      assertThat(client.ack(3).path("entries").asLong()).isEqualTo(3);
    }
    try (StreamClient client = connect("another")) {
      assertOpen(client.next(), id, 3, 0);
    }
    String anotherId = newId();
    try (StreamClient client = StreamClient.connect(server.port(), anotherId, "w")) {
      assertOpen(client.next(), anotherId, 0, 0);
    }
  }

  @Test
  void messageWhoseNumberIsStored_isAcknowledgedAndNotStoredAgain() throws Exception {
    try (StreamClient first = connect("w");
        StreamClient second = connect("w")) {
      assertOpen(first.next(), id, 0, 0);
      assertOpen(second.next(), id, 0, 0);
      first.send(message(start(id), event("1", "a")));
      assertThat(first.ack(1).path("entries").asLong()).isEqualTo(2);
      second.send(message(start(id), event("1", "a")));
      assertThat(second.ack(1).path("entries").asLong()).isEqualTo(2);
      second.send(message(event("2", "b")));
      assertThat(second.ack(2).path("entries").asLong()).isEqualTo(3);
      first.send(message(event("2", "b")));
      assertThat(first.ack(2).path("entries").asLong()).isEqualTo(3);
      first.send(message(end(id)));
      assertComplete(first.complete(), id, 3, 4);
    }
    assertTree(event("1", "a"), event("2", "b"));
  }

  @Test
  void refusedMessage_isNotKeptUnderItsNumber() throws Exception {
    try (StreamClient client = connect("w")) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.ack(1);
      client.send("[{}]");
      assertThat(client.next("ERROR").path("message").asLong()).isEqualTo(2);
    }
    try (StreamClient client = connect("w")) {
      assertOpen(client.next(), id, 1, 1);
      client.send(message(event("1", "a")));
      assertThat(client.ack(2).path("entries").asLong()).isEqualTo(2);
      client.send("[{}]");
      assertThat(client.next("ERROR").path("message").asLong()).isEqualTo(3);
      client.send(message(event("2", "b")));
      assertThat(client.ack(4).path("entries").asLong()).isEqualTo(3);
    }
    try (StreamClient client = connect("w")) {
      assertOpen(client.next(), id, 3, 4);
    }
  }

  @Test
  void writerThatStoredNoEntry_isNumberedAllTheSame() throws Exception {
    try (StreamClient client = connect("a")) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.ack(1);
    }
    try (StreamClient client = connect("b")) {
      client.next("OPEN");
      client.send(message(start(id)));
      assertThat(client.ack(1).path("entries").asLong()).isEqualTo(1);
    }
    try (StreamClient client = connect("b")) {
      assertOpen(client.next(), id, 1, 1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "..", "a%20b", "a%2fb", "%C3%A9", "%c3%28", "%zz", "%"})
  void invalidWriter_isRefusedBeforeTheUpgrade(String writer) throws Exception {
    RawHttp reply = RawHttp.upgrade(server.port(), "/sessions/" + id + "/stream?writer=" + writer);
    ProblemDetails.assertProblem(reply, 400, "invalid_parameter");
  }

  @Test
  void droppedConnection_leavesTheSessionOpen_andAllItSentStored() throws Exception {
    int messages = 500;
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      for (int i = 1; i < messages; i++) {
        client.send(message(event("" + i, "a")));
      }
      client.cutOff();
      awaitEntries(messages);
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, messages, 0);
      client.send(message(end(id)));
      assertComplete(client.complete(), id, 1, messages + 1);
    }
  }

  @Test
  void messageThatWasCutOff_isNotStored() throws Exception {
    byte[] last = message(event("2", "b")).getBytes(UTF_8);
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id), event("1", "a")));
      byte[] frame = RawStream.frame(RawStream.TEXT, true, last);
      client.write(Arrays.copyOf(frame, frame.length - 1));
      client.cutOff();
      awaitEntries(2);
      awaitEnd(client);
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 2, 0);
    }
  }

  @Test
  void clientThatCloses_getsAllItSentStoredAndAcknowledged() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(event("1", "a")));
      client.send(RawStream.CLOSE, true, new byte[] {1000 >> 8, (byte) 1000});
      assertThat(client.ack(2).path("entries").asLong()).isEqualTo(2);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 2, 0);
    }
  }

  /** Waits until the server has closed the connection. */
  private static void awaitEnd(RawStream client) {
    assertThatThrownBy(
            () -> {
              while (true) {
                client.read();
              }
            })
        .isInstanceOf(EOFException.class);
  }

  /** Waits until this number of entries is stored, whoever sent them. */
  private void awaitEntries(long entries) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    String body = get().body();
    while (!body.contains("\"entries\":" + entries + "}")) {
      assertThat(System.nanoTime()).as(body).isLessThan(deadline);
      body = get().body();
    }
  }

  @Test
  void clientThatDoesNotWait_getsEveryMessageAcknowledged() throws Exception {
    int messages = 20_000;
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      for (int i = 2; i < messages; i++) {
        client.send(message(event("" + (messages - i), "a")));
      }
      client.send(message(end(id)));
      assertComplete(client.complete(), id, messages, messages);
    }
    assertThat(get().body()).startsWith("{\"type\":\"SESSION\"").endsWith("]}");
  }

  @Test
  void clientThatReadsLate_getsEveryAckInOrder() throws Exception {
    int messages = 5_000;
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      for (int i = 2; i <= messages; i++) {
        client.send(i % 2 == 0 ? "[{}]" : message(event("1", "a")));
      }
      long acked = 0;
      while (acked < messages) {
        JsonNode reply = client.next();
        boolean refused = reply.path("type").asText().equals("ERROR");
        long message = reply.path(refused ? "message" : "messages").asLong();
        assertThat(message).as(reply.toString()).isEqualTo(acked + 1);
        assertThat(refused).as(reply.toString()).isEqualTo(message % 2 == 0);
        acked = message;
      }
      client.send(message(end(id)));
      assertComplete(client.complete(), id, messages + 1, messages / 2 + 1);
    }
  }

  @Test
  void refusalsThatCompleteCounts_areAllSentBeforeIt() throws Exception {
    int sessions = 200;
    int messages = 100;
    for (int s = 0; s < sessions; s++) {
      String id = newId();
      try (RawStream refused = RawStream.connect(server.port(), id);
          RawStream ending = RawStream.connect(server.port(), id)) {
        refused.next("OPEN");
        ending.next("OPEN");
        ending.send(message(start(id)));
        ending.send(message(end(id)));
        for (int i = 0; i < messages; i++) {
          refused.send("[{}]");
        }
        long errors = 0;
        JsonNode reply = refused.next();
        for (; reply.path("type").asText().equals("ERROR"); reply = refused.next()) {
          errors++;
          assertThat(reply.path("message").asLong()).isEqualTo(errors);
        }
        assertComplete(reply, id, errors, 2);
        assertThat(refused.closeCode()).isEqualTo(1000);
      }
    }
  }

  @Test
  void fragmentsOfOneByte_makeOneMessage() throws Exception {
    byte[] message = message(start(id), event("1", "é😀"), end(id)).getBytes(UTF_8);
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(RawStream.TEXT, false, new byte[0]);
      for (byte b : message) {
        client.send(RawStream.CONTINUATION, false, new byte[] {b});
      }
      client.send(RawStream.CONTINUATION, true, new byte[0]);
      assertComplete(client.complete(), id, 1, 3);
    }
    assertTree(event("1", "é😀"));
  }

  @Test
  void frameThatArrivesByteByByte_isOneMessage() throws Exception {
    byte[] message = message(start(id), event("1", "a"), end(id)).getBytes(UTF_8);
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      for (byte b : RawStream.frame(RawStream.TEXT, true, message)) {
        client.write(new byte[] {b});
      }
      assertComplete(client.complete(), id, 1, 3);
    }
    assertTree(event("1", "a"));
  }

  @Test
  void pingBetweenFragments_getsAPongWithItsPayload() throws Exception {
    byte[] message = message(start(id), end(id)).getBytes(UTF_8);
    byte[] first = Arrays.copyOfRange(message, 0, 10);
    byte[] second = Arrays.copyOfRange(message, 10, message.length);
    byte[] ping = "are you there?".getBytes(UTF_8);
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(RawStream.TEXT, false, first);
      client.send(RawStream.PING, true, ping);
      RawStream.Frame pong = client.read();
      assertThat(pong.opcode()).isEqualTo(RawStream.PONG);
      assertThat(pong.payload()).isEqualTo(ping);
      client.send(RawStream.CONTINUATION, true, second);
      assertComplete(client.complete(), id, 1, 2);
    }
  }

  @Test
  void binaryFrames_areAsGoodAsText() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.sendBinary(message(start(id)));
      client.send(message(event("2", "text")));
      client.sendBinary(message(event("1", "binär"), end(id)));
      assertComplete(client.complete(), id, 3, 4);
    }
    assertTree(event("1", "binär"), event("2", "text"));
  }

  @Test
  void binaryMessageThatIsNotUtf8_isRefused_andTheStreamStaysOpen() throws Exception {
    try (StreamClient client = connect()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.ack(1);
      client.sendBinary(NOT_UTF8);
      assertThat(client.next("ERROR").path("code").asText()).isEqualTo("invalid_json");
      client.send(message(end(id)));
      assertComplete(client.complete(), id, 3, 2);
    }
  }

  @Test
  void textThatIsNotUtf8_closesWith1007_andWhatCameBeforeIsStored() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(RawStream.TEXT, true, NOT_UTF8);
      assertThat(client.ack(1).path("entries").asLong()).isEqualTo(1);
      assertThat(client.closeCode()).isEqualTo(1007);
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 1, 0);
    }
  }

  @Test
  void textWhoseLastCharacterIsCutOff_closesWith1007() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(RawStream.TEXT, false, "[\"".getBytes(UTF_8));
      client.send(RawStream.CONTINUATION, true, new byte[] {(byte) 0xf0, (byte) 0x9f});
      assertThat(client.closeCode()).isEqualTo(1007);
    }
  }

  @Test
  void messageThatIsTooBig_getsAnErrorAndClose1009_andWhatCameBeforeIsStored() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(event("1", "x".repeat(MAX_MESSAGE_BYTES))));
      client.ack(1);
      assertTooBig(client, 2);
    }
    try (StreamClient client = connect()) {
      assertOpen(client.next(), id, 1, 0);
    }
  }

  @Test
  void messageThatIsTooBigInParts_getsAnErrorAndClose1009_beforeItsEnd() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(RawStream.TEXT, false, new byte[MAX_MESSAGE_BYTES]);
      client.send(RawStream.CONTINUATION, false, new byte[1]);
      assertTooBig(client, 1);
    }
  }

  @Test
  void messageThatIsTooBigOnceInflated_getsAnErrorAndClose1009() throws Exception {
    try (StreamClient client = connect()) { // OkHttp compresses large messages
      client.next("OPEN");
      client.send("[" + " ".repeat(100 * MAX_MESSAGE_BYTES) + "]");
      assertThat(client.next("ERROR").path("code").asText()).isEqualTo("message_too_big");
      assertThat(client.closeCode()).isEqualTo(1009);
    }
  }

  @Test
  void quietConnection_isPinged() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      RawStream.Frame ping = client.read();
      assertThat(ping.opcode()).isEqualTo(RawStream.PING);
      client.send(RawStream.PONG, true, ping.payload());
      client.send(message(start(id)));
      client.ack(1);
    }
  }

  private static void assertTooBig(RawStream client, long message) throws Exception {
    JsonNode error = client.next("ERROR");
    assertThat(error.path("message").asLong()).isEqualTo(message);
    assertThat(error.path("code").asText()).isEqualTo("message_too_big");
    assertThat(client.closeCode()).isEqualTo(1009);
  }

  @Test
  void frameThatIsNotMasked_isAProtocolError() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.write(new byte[] {(byte) 0x81, 2, '[', ']'});
      assertThat(client.closeCode()).isEqualTo(1002);
    }
  }

  @Test
  void continuationOfNothing_isAProtocolError() throws Exception {
    try (RawStream client = connectRaw()) {
      client.next("OPEN");
      client.send(RawStream.CONTINUATION, true, "[]".getBytes(UTF_8));
      assertThat(client.closeCode()).isEqualTo(1002);
    }
  }

  @Test
  void serverThatIsAskedToEnd_acknowledgesWhatItReceived_closesWith1001_andExitsWith0()
      throws Exception {
    int messages = 300;
    Path store = folder.resolve("ended");
    try (JarServer ending = JarServer.start(store);
        StreamClient client = StreamClient.connect(ending.port(), id, "w");
        StreamClient idle = StreamClient.connect(ending.port(), newId())) {
      client.next("OPEN");
      idle.next("OPEN");
      client.send(message(start(id)));
      for (int i = 1; i < messages; i++) {
        client.send(message(event("" + i, "a")));
      }
      long acknowledged = client.ack(1).path("messages").asLong();
      ending.askToEnd();
      try {
        while (true) {
          acknowledged = client.next("ACK").path("messages").asLong();
        }
      } catch (IOException closed) {
        assertThat(client.closeCode()).isEqualTo(1001);
      }
      assertThat(idle.closeCode()).isEqualTo(1001);
      assertThat(ending.awaitExit()).isZero();
      assertThat(ending.furtherOutput()).isEmpty();
      try (JarServer next = JarServer.start(store);
          StreamClient again = StreamClient.connect(next.port(), id, "w")) {
        assertOpen(again.next(), id, acknowledged, acknowledged);
      }
    }
  }

  @Test
  void sessionGoesOn_afterTheServerWasKilled() throws Exception {
    Path store = folder.resolve("killed");
    try (JarServer killed = JarServer.start(store);
        StreamClient client = StreamClient.connect(killed.port(), id, "w")) {
      client.next("OPEN");
      client.send(message(start(id)));
      client.send(message(event("2", "b")));
      client.ack(2);
      killed.kill();
    }
    try (JarServer next = JarServer.start(store);
        StreamClient client = StreamClient.connect(next.port(), id, "w")) {
      assertOpen(client.next(), id, 2, 2);
      client.send(message(event("1", "a"), end(id)));
      assertComplete(client.complete(), id, 3, 4);
      next.kill();
    }
    try (JarServer last = JarServer.start(store);
        StreamClient client = StreamClient.connect(last.port(), id, "w")) {
      assertComplete(client.next(), id, 3, 4);
      assertThat(RawHttp.get(last.port(), "/sessions/" + id).body())
          .isEqualTo(tree(event("1", "a"), event("2", "b")));
    }
  }
}
