package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Entries.bound;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.newId;
import static sessiontree.Entries.start;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map.Entry;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code /asyncapi.json} is valid, and describes what is really sent over a stream. */
class AsyncApiIT {
  private static final int MAX_MESSAGE_BYTES = 10_000;

  /** Codes of ERROR that no client can cause at will: a disk, a limit or timing causes them. */
  private static final Set<String> NOT_PROVOKED =
      Set.of("storage_unavailable", "too_many_writers", "too_many_sessions", "session_complete");

  /** Codes that {@link #refusedMessage_getsErrorAsDocumented} and the tests after it provoke. */
  private static final Set<String> PROVOKED =
      Set.of(
          "invalid_json",
          "invalid_message",
          "invalid_entry",
          "session_not_started",
          "session_already_started",
          "session_id_mismatch",
          "entry_after_end",
          "message_too_big",
          "session_deleted");

  @TempDir static Path folder;
  private static JarServer server;
  private static ApiDocument document;

  private final String id = newId();

  @BeforeAll
  static void readDocument() throws Exception {
    server =
        JarServer.start(folder.resolve("store"), "--max-message-bytes", "" + MAX_MESSAGE_BYTES);
    document = ApiDocument.read(server, "/asyncapi.json");
  }

  @AfterAll
  static void endServer() throws Exception {
    server.close();
  }

  @Test
  void document_hasTheShapeOfAsyncApi3() throws Exception {
    try (InputStream in = AsyncApiIT.class.getResourceAsStream("/asyncapi-shape.json")) {
      JsonNode shape = ApiDocument.JSON.readTree(in);
      assertThat(JsonSchemas.violations(shape, document.root())).isEmpty();
    }
    assertThat(document.danglingReferences()).isEmpty();
  }

  @Test
  void channel_isTheStreamOfASession() {
    assertThat(document.root().at("/channels/sessionStream/address").asText())
        .isEqualTo("/sessions/{sessionId}/stream");
  }

  @Test
  void operations_useMessagesOfTheirChannel_andAllOfThem() {
    Set<String> used = new TreeSet<>();
    for (JsonNode operation : document.root().path("operations")) {
      String channel = operation.path("channel").path("$ref").asText();
      for (JsonNode message : operation.path("messages")) {
        assertThat(message.path("$ref").asText()).startsWith(channel + "/messages/");
        used.add(message.path("$ref").asText());
      }
    }
    Stream<String> all =
        document.root().at("/channels/sessionStream/messages").properties().stream()
            .map(entry -> "#/channels/sessionStream/messages/" + entry.getKey());
    assertThat(used).containsExactlyInAnyOrderElementsOf(all.toList());
  }

  @Test
  void examples_areValid() {
    assertThat(document.exampleViolations()).isEmpty();
  }

  @Test
  void schemasOfBothDocuments_areTheSame() throws Exception {
    JsonNode others =
        ApiDocument.read(server, "/openapi.json").root().path("components").path("schemas");
    int shared = 0;
    for (Entry<String, JsonNode> schema :
        document.root().path("components").path("schemas").properties()) {
      if (others.has(schema.getKey())) {
        JsonNode other = others.path(schema.getKey()).deepCopy();
        ((ObjectNode) other).remove("discriminator"); // has another form in AsyncAPI
        assertThat(schema.getValue()).as(schema.getKey()).isEqualTo(other);
        shared++;
      }
    }
    assertThat(shared).isPositive();
  }

  @Test
  void codesOfErrors_areProvoked_orAreKnownNotToBe() {
    JsonNode error = document.root().at("/components/schemas/Error");
    Set<String> documented = document.codes(error);
    Set<String> known = new TreeSet<>(PROVOKED);
    known.addAll(NOT_PROVOKED);
    assertThat(documented).containsExactlyInAnyOrderElementsOf(known);
  }

  private StreamClient connect() throws Exception {
    StreamClient client = StreamClient.connect(server.port(), id);
    assertDocumented(client.next("OPEN"));
    return client;
  }

  /** Asserts that the frame matches the one documented message of its type. */
  private static void assertDocumented(JsonNode frame) {
    String type = frame.path("type").asText();
    JsonNode sent =
        document.resolve(
            document
                .root()
                .at("/channels/sessionStream/messages")
                .path(type.toLowerCase(Locale.ROOT)));
    assertThat(sent.path("name").asText()).as(frame.toString()).isEqualTo(type);
    assertThat(document.violations(sent.path("payload"), frame)).as(frame.toString()).isEmpty();
  }

  private static void assertDocumentedMessage(String message) throws Exception {
    JsonNode payload = document.root().at("/components/messages/message/payload");
    assertThat(document.violations(payload, ApiDocument.JSON.readTree(message))).isEmpty();
  }

  @Test
  void aSession_fromOpenToComplete_isAsDocumented() throws Exception {
    List<String> messages =
        List.of(
            message(start(id), event("1569972083.125", "cart_loaded")),
            message("{\"type\":\"EVENT\",\"timestamp\":1e9,\"name\":\"a\",\"more\":[null]}"),
            message(end(id)));
    try (StreamClient client = connect()) {
      for (String message : messages) {
        assertDocumentedMessage(message);
        client.send(message);
      }
      JsonNode frame = client.next();
      for (; frame.path("type").asText().equals("ACK"); frame = client.next()) {
        assertDocumented(frame);
      }
      assertThat(frame.path("type").asText()).isEqualTo("COMPLETE");
      assertDocumented(frame);
      assertThat(client.closeCode()).isEqualTo(1000);
    }
    try (StreamClient late = StreamClient.connect(server.port(), id)) {
      assertDocumented(late.next("COMPLETE"));
    }
  }

  @Test
  void storedMessage_isAcknowledgedAsDocumented() throws Exception {
    try (StreamClient client = connect()) {
      client.send(message(start(id)));
      assertDocumented(client.next("ACK"));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[                  | invalid_json",
        "{}                 | invalid_message",
        "[{}]               | invalid_entry",
        "[$start,$other]       | session_id_mismatch",
        "[$start,$end,$event]  | entry_after_end",
        "[$event]              | session_not_started",
        "[$start,$restart]     | session_already_started",
      })
  void refusedMessage_getsErrorAsDocumented(String template, String code) throws Exception {
    String message =
        template
            .replace("$restart", bound("SESSION_START", "1", id))
            .replace("$start", start(id))
            .replace("$end", end(id))
            .replace("$event", event("1", "a"))
            .replace("$other", end("another"));
    try (StreamClient client = connect()) {
      client.send(message);
      assertError(client, code);
    }
  }

  private static void assertError(StreamClient client, String code) throws Exception {
    JsonNode error = client.next("ERROR");
    assertDocumented(error);
    assertThat(error.path("code").asText()).as(error.toString()).isEqualTo(code);
    assertThat(PROVOKED).contains(code);
  }

  @Test
  void messageThatIsTooBig_getsErrorAsDocumented() throws Exception {
    try (StreamClient client = connect()) {
      client.send(" ".repeat(MAX_MESSAGE_BYTES + 1));
      assertError(client, "message_too_big");
      assertThat(client.closeCode()).isEqualTo(1009);
    }
  }

  @Test
  void deletionOfTheSession_getsErrorAsDocumented() throws Exception {
    try (StreamClient client = connect()) {
      client.send(message(start(id)));
      client.ack(1);
      HttpResult reply = HttpResult.send(server, "DELETE", "/sessions/" + id);
      assertThat(reply.status()).as(reply.toString()).isEqualTo(204);
      assertError(client, "session_deleted");
      assertThat(client.closeCode()).isEqualTo(1000);
    }
  }
}
