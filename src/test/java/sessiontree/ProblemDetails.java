package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.http.HttpResponse;

/** Assertions that hold for every error response over HTTP (RFC 9457). */
final class ProblemDetails {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ProblemDetails() {}

  static JsonNode assertProblem(HttpResponse<String> response, int status, String code)
      throws JsonProcessingException {
    String contentType = response.headers().firstValue("Content-Type").orElse("none");
    return assertProblem(response.statusCode(), contentType, response.body(), status, code);
  }

  static JsonNode assertProblem(RawHttp response, int status, String code)
      throws JsonProcessingException {
    String contentType = response.headers().getOrDefault("content-type", "none");
    return assertProblem(response.status(), contentType, response.body(), status, code);
  }

  static JsonNode assertProblem(HttpResult response, int status, String code)
      throws JsonProcessingException {
    String contentType = response.headers().getOrDefault("content-type", "none");
    return assertProblem(response.status(), contentType, response.body(), status, code);
  }

  private static JsonNode assertProblem(
      int actualStatus, String contentType, String body, int status, String code)
      throws JsonProcessingException {
    assertThat(contentType).as(body).startsWith("application/problem+json");
    JsonNode problem = JSON.readTree(body);
    assertThat(problem.path("code").asText()).as(body).isEqualTo(code);
    assertThat(actualStatus).as(body).isEqualTo(status);
    assertThat(problem.path("status").asInt()).as(body).isEqualTo(status);
    assertThat(problem.path("title").asText()).as(body).isNotBlank();
    assertThat(problem.path("detail").asText()).as(body).isNotBlank();
    assertThat(body).doesNotContain("Exception", "java.", "org.eclipse");
    return problem;
  }
}
