package sessiontree;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** The API's description as the server serves it: its references, schemas and examples. */
record ApiDocument(JsonNode root) {
  static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);

  static ApiDocument read(JarServer server, String path) throws Exception {
    HttpResult response = HttpResult.send(server, "GET", path);
    if (response.status() != 200) {
      throw new AssertionError("GET " + path + " answers " + response);
    }
    return new ApiDocument(JSON.readTree(response.body()));
  }

  /** Returns the node that {@code node} refers to, or {@code node} if it is no reference. */
  JsonNode resolve(JsonNode node) {
    JsonNode resolved = node;
    while (resolved.has("$ref")) {
      String reference = resolved.path("$ref").asText();
      resolved = at(reference);
      if (resolved.isMissingNode()) {
        throw new AssertionError("unresolved reference: " + reference);
      }
    }
    return resolved;
  }

  private JsonNode at(String reference) {
    return reference.startsWith("#/") ? root.at(reference.substring(1)) : root.path("");
  }

  Set<String> danglingReferences() {
    Set<String> dangling = new LinkedHashSet<>();
    walk(
        root,
        node -> {
          String reference = node.path("$ref").asText("#/");
          if (node.has("$ref") && at(reference).isMissingNode()) {
            dangling.add(reference);
          }
        });
    return dangling;
  }

  /** Returns how {@code value} violates {@code schema}, a schema of this document. */
  List<String> violations(JsonNode schema, JsonNode value) {
    ObjectNode whole = schema.deepCopy();
    ObjectNode components = whole.putObject("components");
    components.set("schemas", root.path("components").path("schemas"));
    return JsonSchemas.violations(whole, value);
  }

  /** Checks each example against the schema beside it, and returns all violations. */
  List<String> exampleViolations() {
    List<String> violations = new ArrayList<>();
    walk(
        root,
        node -> {
          for (JsonNode example : node.path("examples")) {
            if (node.has("schema")) {
              violations.addAll(violations(node.path("schema"), example.path("value")));
            } else if (node.has("payload")) {
              violations.addAll(violations(node.path("payload"), example.path("payload")));
            } else if (node.path("examples").isArray() && !node.path("type").isMissingNode()) {
              violations.addAll(violations(node, example));
            }
          }
          if (node.has("schema") && node.has("example")) {
            violations.addAll(violations(node.path("schema"), node.path("example")));
          }
        });
    return violations;
  }

  /** Returns the problem codes that the schema, or any schema it refers to, allows. */
  Set<String> codes(JsonNode schema) {
    Set<String> codes = new LinkedHashSet<>();
    addCodes(schema, codes, new LinkedHashSet<>());
    return codes;
  }

  private void addCodes(JsonNode schema, Set<String> codes, Set<String> seen) {
    walk(
        schema,
        node -> {
          JsonNode listed = node.path("properties").path("code").path("enum");
          listed.forEach(code -> codes.add(code.asText()));
          if (node.has("$ref") && seen.add(node.path("$ref").asText())) {
            addCodes(resolve(node), codes, seen);
          }
        });
  }

  private static void walk(JsonNode node, Consumer<JsonNode> visitor) {
    if (node.isObject()) {
      visitor.accept(node);
    }
    node.forEach(child -> walk(child, visitor));
  }
}
