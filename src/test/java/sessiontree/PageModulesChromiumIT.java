package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The modules of the page, each tested alone. */
class PageModulesChromiumIT extends PageInChromium {
  /** Runs the body of an async function and returns its result as JSON. */
  private static String run(String body) {
    return (String)
        browser.executeAsyncScript(
            "const done = arguments[arguments.length - 1];"
                + "(async () => {"
                + body
                + "})().then(value => done(JSON.stringify(value)), error => done(String(error)))");
  }

  @Test
  void eventStream_isReadWhereverItIsCut() {
    show("");
    assertThat(
            run(
                """
                const {EventStreamParser} = await import('/page/sse.js');
                const stream = ': hello\\n\\nevent: entry\\nid: 2\\ndata: {"a":\\r\\ndata:1}\\r\\n\\r\\ndata\\n\\nid\\ndata:  b\\n\\nevent: none\\n\\ndata: lost';
                const read = (...pieces) => {
                  const parser = new EventStreamParser();
                  return JSON.stringify(pieces.flatMap(piece => parser.push(piece)));
                };
                const whole = read(stream), different = [];
                for (let cut = 0; cut <= stream.length; cut++) {
                  if (read(stream.slice(0, cut), stream.slice(cut)) !== whole) different.push(cut);
                }
                if (read(...stream) !== whole) different.push('every character');
                return [JSON.parse(whole), different];
                """))
        .isEqualTo(
            "[[{\"type\":\"entry\",\"id\":\"2\",\"data\":\"{\\\"a\\\":\\n1}\"},{\"data\":\"\"},"
                + "{\"id\":\"\",\"data\":\" b\"}],[]]");
  }

  @Test
  void timestamps_areReadToTheNanosecond_andShownCut() {
    show("");
    assertThat(
            run(
                """
                const {parseTimestamp, offset, duration, ticks} = await import('/page/time.js');
                const read = text => Object.values(parseTimestamp(text)).join('+');
                const labels = (from, to, apart) => ticks(1569972082, from, to, apart).map(tick => tick.label.slice(-5));
                return [
                  ['0', '1569972083', '1569972083.1234567899', '1.569972083125e9', '15699720831E-1', '1e-9', '1e-400', '0.000000001e9'].map(read),
                  [1.9999, -1500, 59_999.9999, 60_000, 3_600_250].map(t => offset(t)),
                  [0, 1e-6, .0015, 1.5, 1500, 61_000, 7_500_000, 90e6 * 3, 1e12].map(duration),
                  labels(0, 1, .2), labels(-2000, 2000, 900)];
                """))
        .isEqualTo(
            "[[\"0+0\",\"1569972083+0\",\"1569972083+123456789\",\"1569972083+125000000\","
                + "\"1569972083+100000000\",\"0+1\",\"0+0\",\"1+0\"],"
                + "[\"0.001 s\",\"−1.500 s\",\"59.999 s\",\"1:00.000\",\"1:00:00.250\"],"
                + "[\"0 s\",\"1 ns\",\"1.50 µs\",\"1.50 ms\",\"1.50 s\",\"1 min 01 s\",\"2 h 05 min\","
                + "\"3 d 3 h\",\"31.7 years\"],"
                + "[\".0000\",\".0002\",\".0004\",\".0006\",\".0008\",\".0010\"],"
                + "[\"21:20\",\"21:21\",\"21:22\",\"21:23\",\"21:24\"]]");
  }
}
