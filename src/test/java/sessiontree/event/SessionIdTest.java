package sessiontree.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SessionIdTest {
  private static final String ALLOWED =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";

  @ParameterizedTest
  @ValueSource(
      strings = {"a", "Z", "0", "_", "~", "-", "...", ".a", "a.", "-.-", "CON", "a.json", ALLOWED})
  void check_ofTheAllowedForm_givesTheIdItself(String id) throws Exception {
    assertThat(SessionId.check(id)).isSameAs(id);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", ".", "..", " ", "a b", "a/b", "a\\b", "a%20", "a:b", "a\n", "\u0000", "é", "😀"
      })
  void check_ofAnotherForm_isRefused(String id) {
    var refusal = catchThrowableOfType(ProblemException.class, () -> SessionId.check(id));

    assertThat(refusal.problem()).isEqualTo(Problem.INVALID_SESSION_ID);
    assertThat(refusal.problem().code()).isEqualTo("invalid_session_id");
    assertThat(refusal.detail()).matches("[ -~]+");
  }

  @Test
  void isValid_ofEveryCharacter_allowsExactlyThese() {
    var allowed = new StringBuilder();
    for (int c = 0; c <= Character.MAX_VALUE; c++) {
      if (SessionId.isValid("a" + (char) c)) {
        allowed.append((char) c);
      }
    }
    assertThat(allowed.chars().sorted().toArray()).isEqualTo(ALLOWED.chars().sorted().toArray());
  }

  @Test
  void isValid_upTo128Characters() {
    assertThat(SessionId.isValid("x".repeat(128))).isTrue();
    assertThat(SessionId.isValid("x".repeat(129))).isFalse();
  }

  @Test
  void shown_ofALongText_isBoundedAndPrintable() {
    assertThat(SessionId.shown("é\n\ud800" + "x".repeat(100_000)))
        .isEqualTo("\"???" + "x".repeat(37) + "... (100003 characters)\"");
  }
}
