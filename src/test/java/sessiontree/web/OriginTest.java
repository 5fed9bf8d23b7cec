package sessiontree.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OriginTest {
  @ParameterizedTest
  @CsvSource({
    "*,                           *",
    "https://example.org,         https://example.org",
    "https://example.org:443,     https://example.org",
    "https://example.org:80,      https://example.org:80",
    "http://example.org:80,       http://example.org",
    "http://example.org:00080,    http://example.org",
    "http://example.org:443,      http://example.org:443",
    "HTTPS://Example.ORG:8443,    https://example.org:8443",
    "https://MÜNCHEN.example,     https://xn--mnchen-3ya.example",
    "https://münchen.example:443, https://xn--mnchen-3ya.example",
    "https://例え。テスト,         https://xn--r8jz45g.xn--zckzah",
    "http://localhost:3000,       http://localhost:3000",
    "http://my_host,              http://my_host",
    "http://[::1]:3000,           http://[::1]:3000",
    "'http://[2001:DB8::1]:80',   'http://[2001:db8::1]'",
    "chrome-extension://abcdef,   chrome-extension://abcdef",
    "capacitor://localhost,       capacitor://localhost"
  })
  void origin_isNormalized_asBrowsersSendIt(String text, String origin) {
    assertThat(Origin.normalized(text)).isEqualTo(origin);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "example.org",
        "//example.org",
        "https:example.org",
        "https://",
        "https://example.org/",
        "https://example.org/path",
        "https://example.org?q",
        "https://example.org#f",
        "https://*",
        "https://*.example.org",
        "https://user@example.org",
        "https://user:secret@example.org",
        "https://example.org:",
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:x",
        "https://a..example",
        "https://a b",
        "https://[::1",
        "https://[x]",
        "ws://example.org",
        "wss://example.org",
        "file://"
      })
  void originThatNoPageCanHave_isRefused(String text) {
    assertThatThrownBy(() -> Origin.normalized(text)).isInstanceOf(IllegalArgumentException.class);
  }
}
