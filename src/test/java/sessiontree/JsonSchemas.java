package sessiontree;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.openapiprocessor.jsonschema.ouput.OutputConverter;
import io.openapiprocessor.jsonschema.ouput.OutputUnit;
import io.openapiprocessor.jsonschema.schema.DocumentLoader;
import io.openapiprocessor.jsonschema.schema.JsonInstance;
import io.openapiprocessor.jsonschema.schema.JsonSchema;
import io.openapiprocessor.jsonschema.schema.Output;
import io.openapiprocessor.jsonschema.schema.SchemaStore;
import io.openapiprocessor.jsonschema.validator.Validator;
import io.openapiprocessor.jsonschema.validator.ValidatorSettings;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;

/** Checks values against JSON Schema 2020-12, with a third-party validator and no network. */
final class JsonSchemas {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final URI SCHEMA = URI.create("https://sessiontree.test/schema");
  private static final String OPENAPI = "https://spec.openapis.org/oas/3.1/";

  private JsonSchemas() {}

  /** Returns each violation of the schema: location, rule and message. Empty if valid. */
  static List<String> violations(JsonNode schema, JsonNode value) {
    SchemaStore store = store();
    store.register(SCHEMA, JSON.convertValue(schema, Object.class));
    return violations(store.getSchema(SCHEMA), value);
  }

  /** Returns the violations in an OpenAPI 3.1 document, including those in its schemas. */
  static List<String> openApiViolations(JsonNode document) throws IOException {
    SchemaStore store = store();
    for (String name :
        List.of(
            "meta/2024-11-10",
            "dialect/2024-11-10",
            "schema/2025-09-15",
            "schema-base/2025-09-15")) {
      try (InputStream in = JsonSchemas.class.getResourceAsStream("/openapi/3.1/" + name)) {
        store.register(URI.create(OPENAPI + name), JSON.readValue(in, Object.class));
      }
    }
    return violations(store.getSchema(URI.create(OPENAPI + "schema-base/2025-09-15")), document);
  }

  private static SchemaStore store() {
    SchemaStore store = new SchemaStore(new DocumentLoader(JsonSchemas::refuse, JsonSchemas::read));
    store.registerDraft202012();
    return store;
  }

  private static InputStream refuse(URI uri) throws IOException {
    throw new IOException("the schema refers to what is not in it: " + uri);
  }

  private static Object read(String json) {
    try {
      return JSON.readValue(json, Object.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static List<String> violations(JsonSchema schema, JsonNode value) {
    Validator validator = new Validator(new ValidatorSettings().setOutput(Output.BASIC));
    OutputUnit result =
        new OutputConverter(Output.BASIC)
            .convert(
                validator.validate(
                    schema, new JsonInstance(JSON.convertValue(value, Object.class))));
    if (result.isValid()) {
      return List.of();
    }
    List<String> errors =
        result.getErrors() == null
            ? List.of()
            : result.getErrors().stream().map(JsonSchemas::words).toList();
    return errors.isEmpty() ? List.of("not valid: " + value) : errors;
  }

  private static String words(OutputUnit error) {
    return "%s: %s: %s"
        .formatted(error.getInstanceLocation(), error.getKeywordLocation(), error.getError());
  }
}
