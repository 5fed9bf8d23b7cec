package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map.Entry;
import java.util.Set;

/** A response in the OpenAPI document, against which actual responses are checked. */
record DocumentedResponse(ApiDocument document, JsonNode definition) {
  /** Headers of HTTP itself or of every response, which the document need not list. */
  private static final Set<String> EVERYWHERE =
      Set.of(
          "date",
          "content-type",
          "content-length",
          "transfer-encoding",
          "connection",
          "x-content-type-options",
          "cache-control");

  static DocumentedResponse of(Operation operation, int status) {
    JsonNode response = operation.definition().path("responses").path("" + status);
    assertThat(response.isMissingNode()).as("%s is not documented", status).isFalse();
    return new DocumentedResponse(operation.document(), operation.document().resolve(response));
  }

  /** Checks headers, content type and body. A response to HEAD must have no body. */
  void assertAllows(HttpResult reply, boolean head) throws IOException {
    assertHeaders(reply);
    JsonNode content = definition.path("content");
    if (head || content.isMissingNode()) {
      assertThat(reply.body()).isEmpty();
    }
    if (content.isMissingNode()) {
      return;
    }
    String type = reply.headers().getOrDefault("content-type", "none").split(";")[0].strip();
    assertThat(content.has(type)).as("Content-Type %s is not documented", type).isTrue();
    if (!head) {
      JsonNode body =
          type.endsWith("json")
              ? ApiDocument.JSON.readTree(reply.body())
              : new TextNode(reply.body());
      JsonNode schema = content.path(type).path("schema");
      assertThat(document.violations(schema, body)).as(reply.body()).isEmpty();
    }
  }

  private void assertHeaders(HttpResult reply) {
    Set<String> undocumented = new HashSet<>(reply.headers().keySet());
    undocumented.removeAll(EVERYWHERE);
    for (Entry<String, JsonNode> header : definition.path("headers").properties()) {
      String name = header.getKey().toLowerCase(Locale.ROOT);
      JsonNode documented = document.resolve(header.getValue());
      String value = reply.headers().get(name);
      undocumented.remove(name);
      if (value == null) {
        assertThat(documented.path("required").asBoolean()).as("no header %s", name).isFalse();
        continue;
      }
      boolean number = documented.path("schema").path("type").asText().equals("integer");
      JsonNode json = number ? new IntNode(Integer.parseInt(value)) : new TextNode(value);
      assertThat(document.violations(documented.path("schema"), json)).as(name).isEmpty();
    }
    if (!definition.path("headers").has("Cache-Control")) {
      assertThat(reply.headers()).containsEntry("cache-control", "no-store");
    }
    assertThat(undocumented).as("headers that are not documented, of %s", reply).isEmpty();
  }
}
