package sessiontree;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map.Entry;
import java.util.Set;

/**
 * An operation of the OpenAPI document.
 *
 * @param method in upper case
 * @param path with its parameters in braces
 */
record Operation(ApiDocument document, String method, String path, JsonNode definition) {
  private static final Set<String> METHODS =
      Set.of("get", "head", "post", "put", "patch", "delete", "options", "trace");

  /**
   * A documented response of an operation.
   *
   * @param code the code of a problem, or an empty string
   */
  record Outcome(String operation, int status, String code) {
    @Override
    public String toString() {
      return (operation + " " + status + " " + code).strip();
    }
  }

  /** Returns all operations of a document, path by path. */
  static List<Operation> all(ApiDocument document) {
    List<Operation> operations = new ArrayList<>();
    for (Entry<String, JsonNode> path : document.root().path("paths").properties()) {
      for (Entry<String, JsonNode> item : path.getValue().properties()) {
        if (METHODS.contains(item.getKey())) {
          String method = item.getKey().toUpperCase(Locale.ROOT);
          operations.add(new Operation(document, method, path.getKey(), item.getValue()));
        }
      }
    }
    return operations;
  }

  String id() {
    return definition.path("operationId").asText();
  }

  boolean hasSession() {
    return path.contains("{sessionId}");
  }

  boolean needsToken() {
    return !definition.path("security").isEmpty();
  }

  boolean writes() {
    return definition.path("security").toString().contains("writeToken");
  }

  String pathOf(String sessionId) {
    return path.replace("{sessionId}", sessionId);
  }

  /** Returns all documented outcomes of the operation. */
  Set<Outcome> outcomes() {
    Set<Outcome> outcomes = new LinkedHashSet<>();
    for (Entry<String, JsonNode> response : definition.path("responses").properties()) {
      int status = Integer.parseInt(response.getKey());
      Set<String> codes = document.codes(document.resolve(response.getValue()).path("content"));
      for (String code : codes.isEmpty() ? Set.of("") : codes) {
        outcomes.add(new Outcome(id(), status, code));
      }
    }
    return outcomes;
  }
}
