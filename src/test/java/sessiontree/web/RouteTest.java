package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RouteTest {
  @Test
  void path_hasTheRouteThatItIsWrittenAs() {
    assertThat(Route.of("/sessions")).isEqualTo(Route.SESSIONS);
    assertThat(Route.of("/sessions/a;v=1")).isEqualTo(Route.SESSION);
    assertThat(Route.of("/sessions/a%2fb/events")).isEqualTo(Route.EVENTS);
    assertThat(Route.of("/sessions/../stream")).isEqualTo(Route.STREAM);
    assertThat(Route.of("/health")).isEqualTo(Route.HEALTH);
    assertThat(Route.of("/")).isEqualTo(Route.INDEX);
    assertThat(Route.of("/page/page.js")).isEqualTo(Route.PAGE);
    assertThat(Route.of("/page/..%2fmetrics")).isEqualTo(Route.PAGE);
    assertThat(Route.of("/sessiontree.js")).isEqualTo(Route.CLIENT);
    assertThat(Route.of("/sessiontree.d.ts")).isEqualTo(Route.CLIENT_TYPES);
  }

  @Test
  void pathThatIsWrittenOtherwise_hasNone() {
    for (String path :
        new String[] {
          null,
          "",
          "*",
          "/sessions/",
          "/sessions//stream",
          "/sessions/a/",
          "/sessions/a/b/stream",
          "/sessions/a/%73tream",
          "/x/../health",
          "/health/",
          "/page",
          "/page/",
          "/page/../metrics",
          "/page/a/b",
          "//health",
          "/Health",
          "/healthy"
        }) {
      assertThat(Route.of(path)).as(path).isNull();
      assertThat(Route.STREAM.id(path)).as(path).isNull();
    }
  }

  @Test
  void id_isDecodedOnce_validOrNot() {
    assertThat(Route.SESSION.id("/sessions/%61b%63")).isEqualTo("abc");
    assertThat(Route.SESSION.id("/sessions/a;v=1")).isEqualTo("a;v=1");
    assertThat(Route.SESSION.id("/sessions/a+b%2fc%2561")).isEqualTo("a+b/c%61");
    assertThat(Route.SESSION.id("/sessions/a%z")).isEqualTo("a%z");
    assertThat(Route.STREAM.id("/sessions/%2e%2e/stream")).isEqualTo("..");
  }
}
