package sessiontree.event;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TimestampTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "-0, 0",
    "-0.0, 0",
    "-0e99, 0",
    "0e99999999999999999999, 0",
    "1, 1000000000",
    "1569972083, 1569972083000000000",
    "1569972083.125, 1569972083125000000",
    "1569972083.000000001, 1569972083000000001",
    "1.5e9, 1500000000000000000",
    "1.5E+9, 1500000000000000000",
    "1.5e0009, 1500000000000000000",
    "15699720830e-1, 1569972083000000000",
    "15699720830000000000000e-13, 1569972083000000000",
    "0.000000000000000001569972083e27, 1569972083000000000",
    "0.000000001, 1",
    "1e-9, 1",
    "0.0000000009, 0",
    "9e-10, 0",
    "1.0000000019999999999999999999999999, 1000000001",
    "1e-1000000000000, 0",
    "1e-99999999999999999999, 0",
    "9223372035.999999999, 9223372035999999999",
    "9223372035.9999999999999, 9223372035999999999",
    "9.223372035e9, 9223372035000000000"
  })
  void nanos_ofATimestamp_isItsValue(String number, long nanos) {
    assertThat(nanos(number)).isEqualTo(nanos);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-1",
        "-0.0000000001",
        "-1e-99999999999999999999",
        "-1569972083000",
        "9223372036",
        "9223372036.0",
        "9.223372036e9",
        "9223372037",
        "9223372036.854775808",
        "9999999999.999999999",
        "18446744073.709551616",
        "10000000000",
        "99999999999.9"
      })
  void nanos_outsideTheRange_isRefused(String number) {
    assertThat(nanos(number)).isEqualTo(Timestamp.OUT_OF_RANGE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "100000000000",
        "1e11",
        "0.1e12",
        "1569972083000",
        "1569972083000.125",
        "99999999999999.9"
      })
  void nanos_from100000000000On_looksLikeMillis(String number) {
    assertThat(nanos(number)).isEqualTo(Timestamp.LOOKS_LIKE_MILLIS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"100000000000000", "1e14", "1569972083000000", "99999999999999999.9"})
  void nanos_from100000000000000On_looksLikeMicros(String number) {
    assertThat(nanos(number)).isEqualTo(Timestamp.LOOKS_LIKE_MICROS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "100000000000000000",
        "1e17",
        "1569972083000000000",
        "1e400",
        "1e99999999999999999999"
      })
  void nanos_from100000000000000000On_looksLikeNanos(String number) {
    assertThat(nanos(number)).isEqualTo(Timestamp.LOOKS_LIKE_NANOS);
  }

  @Test
  void nanos_ofAThousandDigits_isTheirValue() {
    assertThat(nanos("0." + "0".repeat(998))).isEqualTo(0);
    assertThat(nanos("1." + "9".repeat(998))).isEqualTo(1_999_999_999);
    assertThat(nanos("1" + "0".repeat(990) + "e-990")).isEqualTo(1_000_000_000);
    assertThat(nanos("0." + "0".repeat(990) + "1e991")).isEqualTo(1_000_000_000);
    assertThat(nanos("9".repeat(1000))).isEqualTo(Timestamp.LOOKS_LIKE_NANOS);
  }

  @Test
  void nanos_ofRandomNumbers_isWhatBigDecimalSays() {
    for (int seed = 0; seed < 50_000; seed++) {
      String number = number(new Random(seed));
      assertThat(nanos(number)).as("seed %d: %s", seed, number).isEqualTo(expected(number));
    }
  }

  private static String number(Random random) {
    String whole = digits(random, random.nextInt(14)).replaceFirst("^0+", "");
    var number = new StringBuilder(random.nextInt(10) == 0 ? "-" : "");
    number.append(whole.isEmpty() ? "0" : whole);
    if (random.nextBoolean()) {
      String zeros = random.nextBoolean() ? "0".repeat(random.nextInt(20)) : "";
      number.append('.').append(zeros).append(digits(random, 1 + random.nextInt(20)));
    }
    if (random.nextBoolean()) {
      number.append(random.nextBoolean() ? 'e' : 'E');
      number.append(new String[] {"", "+", "-"}[random.nextInt(3)]);
      number.append(random.nextBoolean() ? "" : "00").append(random.nextInt(25));
    }
    return number.toString();
  }

  private static String digits(Random random, int count) {
    return random.ints(count, 0, 10).mapToObj(Integer::toString).reduce("", String::concat);
  }

  private static long expected(String number) {
    BigDecimal value = new BigDecimal(number);
    if (value.signum() < 0) {
      return Timestamp.OUT_OF_RANGE;
    }
    if (value.compareTo(new BigDecimal("1e17")) >= 0) {
      return Timestamp.LOOKS_LIKE_NANOS;
    }
    if (value.compareTo(new BigDecimal("1e14")) >= 0) {
      return Timestamp.LOOKS_LIKE_MICROS;
    }
    if (value.compareTo(new BigDecimal("1e11")) >= 0) {
      return Timestamp.LOOKS_LIKE_MILLIS;
    }
    return value.compareTo(new BigDecimal("9223372036")) >= 0
        ? Timestamp.OUT_OF_RANGE
        : value.movePointRight(9).toBigInteger().longValueExact();
  }

  /** Parses a number that has other digits before and after it. */
  private static long nanos(String number) {
    byte[] bytes = ("9." + number + "9").getBytes(US_ASCII);
    return Timestamp.nanos(bytes, 2, 2 + number.length());
  }
}
