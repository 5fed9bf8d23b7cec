package sessiontree.event;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON documents as lists of tokens: strings and names decoded, numbers digit by digit, and a name
 * given twice is listed twice. This is stricter than comparing trees of nodes, and no number is too
 * large. It reads characters, so it shares no scanner with {@link MessageParser}.
 */
final class JsonTokens {
  private static final JsonFactory STRICT = factory(false);
  private static final JsonFactory TRAILING_COMMAS = factory(true);

  private JsonTokens() {}

  private static JsonFactory factory(boolean trailingCommas) {
    return JsonFactory.builder()
        .configure(JsonReadFeature.ALLOW_TRAILING_COMMA, trailingCommas)
        .configure(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES, false)
        .streamReadConstraints(
            StreamReadConstraints.builder()
                .maxNumberLength(Integer.MAX_VALUE)
                .maxNameLength(Integer.MAX_VALUE)
                .build())
        .build();
  }

  /** Returns the tokens of a document without trailing commas. */
  static List<String> strict(String document) throws IOException {
    return document(STRICT, document);
  }

  /** Returns the tokens of a document that may have trailing commas. */
  static List<String> of(String document) throws IOException {
    return document(TRAILING_COMMAS, document);
  }

  /** Returns the tokens that a message's children must have, by a plain reading of the rules. */
  static List<List<String>> expectedChildren(byte[] message) throws IOException {
    String text = new String(message, StandardCharsets.UTF_8);
    List<List<String>> children = new ArrayList<>();
    try (JsonParser json =
        TRAILING_COMMAS.createParser(text.startsWith("\ufeff") ? text.substring(1) : text)) {
      json.nextToken();
      while (json.nextToken() == JsonToken.START_OBJECT) {
        Map<String, List<String>> members = new LinkedHashMap<>();
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          json.nextToken();
          members.put(name, value(json));
        }
        if (members.get("type").equals(List.of("VALUE_STRING EVENT"))) {
          children.add(expectedChild(members));
        }
      }
    }
    return children;
  }

  private static List<String> expectedChild(Map<String, List<String>> members) {
    List<String> tokens = new ArrayList<>(List.of("START_OBJECT {"));
    Map<String, List<String>> rest = new LinkedHashMap<>(members);
    rest.remove("session_id");
    for (String name : List.of("type", "timestamp", "name")) {
      tokens.add("FIELD_NAME " + name);
      tokens.addAll(rest.remove(name));
    }
    rest.forEach(
        (name, value) -> {
          tokens.add("FIELD_NAME " + name);
          tokens.addAll(value);
        });
    tokens.add("END_OBJECT }");
    return tokens;
  }

  private static List<String> document(JsonFactory factory, String document) throws IOException {
    try (JsonParser json = factory.createParser(document)) {
      json.nextToken();
      List<String> tokens = value(json);
      if (json.nextToken() != null) {
        throw new IOException("something follows the document");
      }
      return tokens;
    }
  }

  private static List<String> value(JsonParser json) throws IOException {
    List<String> tokens = new ArrayList<>();
    int depth = 0;
    while (true) {
      JsonToken token = json.currentToken();
      depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
      tokens.add(token + " " + json.getText());
      if (depth == 0) {
        return tokens;
      }
      json.nextToken();
    }
  }
}
