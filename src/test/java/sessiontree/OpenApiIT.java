package sessiontree;

import static java.util.stream.Collectors.toCollection;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.Operation.Outcome;
import sessiontree.OperationCases.Case;
import sessiontree.event.Problem;

/** {@code /openapi.json} is valid, and the server responds only in the ways that it documents. */
class OpenApiIT {
  /** Codes that are sent on streams only. */
  private static final Set<String> NOT_OVER_HTTP = Set.of(Problem.SESSION_DELETED.code());

  /** Codes documented for paths and methods that are not in the document. */
  private static final Set<String> OF_NO_OPERATION =
      Set.of(Problem.NOT_FOUND.code(), Problem.METHOD_NOT_ALLOWED.code());

  /** The code of a failure of the server itself; it is not in {@link Problem}. */
  private static final String FAILURE = "internal";

  @TempDir static Path folder;
  private static JarServers servers;
  private static JarServer server;
  private static ApiDocument document;
  private static List<Operation> operations;

  @BeforeAll
  static void readDocument() throws Exception {
    servers = new JarServers(folder);
    server = servers.get("documents");
    document = ApiDocument.read(server, "/openapi.json");
    operations = Operation.all(document);
  }

  @AfterAll
  static void endServers() throws Exception {
    servers.close();
  }

  @Test
  void document_isValidOpenApi31() throws IOException {
    assertThat(document.root().path("openapi").asText()).startsWith("3.1.");
    assertThat(JsonSchemas.openApiViolations(document.root())).isEmpty();
    assertThat(document.danglingReferences()).isEmpty();
  }

  @Test
  void examples_areValid() {
    assertThat(document.exampleViolations()).isEmpty();
  }

  @Test
  void operations_haveIdsOfTheirOwn_andWords() {
    assertThat(operations).extracting(Operation::id).doesNotHaveDuplicates().isNotEmpty();
    for (Operation operation : operations) {
      assertThat(operation.id()).isNotBlank();
      assertThat(operation.definition().path("summary").asText()).isNotBlank();
      assertThat(operation.definition().path("description").asText()).isNotBlank();
    }
  }

  @Test
  void version_isThatOfTheJar() throws IOException {
    try (JarFile jar = new JarFile(System.getProperty("sessiontree.jar"))) {
      String version = jar.getManifest().getMainAttributes().getValue("Implementation-Version");
      assertThat(document.root().path("info").path("version").asText()).isEqualTo(version);
    }
  }

  @Test
  void codes_areThoseOfTheServer() {
    Set<String> known =
        Arrays.stream(Problem.values()).map(Problem::code).collect(toCollection(TreeSet::new));
    known.removeAll(NOT_OVER_HTTP);
    known.add(FAILURE);
    JsonNode schemas = document.root().path("components").path("schemas");
    Set<String> listed = new TreeSet<>();
    schemas.path("ProblemCode").path("enum").forEach(code -> listed.add(code.asText()));
    assertThat(listed).isEqualTo(known);
    Set<String> result = document.codes(document.root());
    known.removeAll(OF_NO_OPERATION);
    assertThat(result).as("of responses").containsExactlyInAnyOrderElementsOf(known);
  }

  @Test
  void everyDocumentedOutcome_isProvoked_orSaysWhyNot() {
    Set<Outcome> documented =
        operations.stream().flatMap(operation -> operation.outcomes().stream()).collect(toSet());
    Set<Outcome> covered =
        OperationCases.of(operations, servers).stream().map(Case::outcome).collect(toSet());
    Set<Outcome> provoked = Set.copyOf(covered);
    Set<Outcome> excused = OperationCases.notProvoked(operations).keySet();
    assertThat(provoked).doesNotContainAnyElementsOf(excused);
    covered.addAll(excused);
    assertThat(covered).containsExactlyInAnyOrderElementsOf(documented);
    assertThat(operations)
        .extracting(Operation::id)
        .isSubsetOf(provoked.stream().map(Outcome::operation).toList());
  }

  @TestFactory
  Stream<DynamicTest> everyOperation_answersAsDocumented() {
    return OperationCases.of(operations, servers).stream()
        .map(each -> DynamicTest.dynamicTest(each.toString(), () -> named(each)));
  }

  /** Checks a case and names it in the failure, as reports name dynamic tests by number only. */
  private static void named(Case each) throws Exception {
    assumeTrue(
        JarServer.isInFolder() || each.outcome().status() != 503, "the folder is damaged for it");
    try {
      check(each);
    } catch (AssertionError e) {
      throw new AssertionError(each + ": " + e.getMessage(), e);
    }
  }

  private static void check(Case each) throws Exception {
    Outcome outcome = each.outcome();
    Operation operation =
        operations.stream()
            .filter(o -> o.id().equals(outcome.operation()))
            .findFirst()
            .orElseThrow();
    boolean head = operation.method().equals("HEAD");
    HttpResult response = each.provoke().call();
    DocumentedResponse.of(operation, response.status()).assertAllows(response, head);
    assertThat(response.status()).as(response.toString()).isEqualTo(outcome.status());
    if (!outcome.code().isEmpty() && !head) {
      assertThat(ApiDocument.JSON.readTree(response.body()).path("code").asText())
          .isEqualTo(outcome.code());
    }
  }

  @TestFactory
  Stream<DynamicTest> methodsThatAreNotDocumented_areNotAllowed() {
    return operations.stream()
        .map(Operation::path)
        .distinct()
        .map(path -> DynamicTest.dynamicTest(path, () -> checkMethods(path)));
  }

  private static void checkMethods(String path) throws Exception {
    List<String> documented =
        operations.stream().filter(o -> o.path().equals(path)).map(Operation::method).toList();
    for (String method : List.of("GET", "POST", "PUT", "PATCH", "DELETE")) {
      if (documented.contains(method)) {
        continue;
      }
      HttpResult response =
          HttpResult.send(server, method, path.replace("{sessionId}", Entries.newId()));
      assertProblem(response, 405, "method_not_allowed");
      assertThat(response.headers().get("allow").split(", *")).containsAll(documented);
    }
  }

  @Test
  void pathThatIsNotDocumented_isNotFound() throws Exception {
    HttpResult response = HttpResult.send(server, "GET", "/sessions/a/nothing");
    assertProblem(response, 404, "not_found");
  }

  private static void assertProblem(HttpResult response, int status, String code) throws Exception {
    assertThat(response.status()).as(response.toString()).isEqualTo(status);
    assertThat(response.headers()).containsEntry("content-type", "application/problem+json");
    JsonNode problem = ApiDocument.JSON.readTree(response.body());
    JsonNode schema = document.root().path("components").path("schemas").path("Problem");
    assertThat(document.violations(schema, problem)).isEmpty();
    assertThat(problem.path("code").asText()).isEqualTo(code);
    assertThat(document.root().path("info").path("description").asText()).contains(code);
  }

  /** Code generators would invent names for unnamed schemas. */
  @Test
  void schemasOfBodies_haveNames_andAllComponentsAreUsed() {
    for (JsonNode content : document.root().findValues("content")) {
      for (JsonNode type : content) {
        JsonNode schema = type.path("schema");
        assertThat(schema.has("$ref") || schema.path("type").asText().equals("string"))
            .as(schema.toString())
            .isTrue();
      }
    }
    String text = document.root().toString();
    for (String kind : List.of("schemas", "parameters", "headers", "responses")) {
      document
          .root()
          .path("components")
          .path(kind)
          .fieldNames()
          .forEachRemaining(
              name -> assertThat(text).contains("\"#/components/" + kind + "/" + name + "\""));
    }
    assertThat(document.root().findValues("externalDocs")).isEmpty();
  }
}
