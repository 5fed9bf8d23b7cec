package sessiontree.event;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time to parse a thousand EVENTs, sent in messages of one or of a thousand, with the scanner and
 * with Jackson, and to check that they are UTF-8. A score is in nanoseconds per event.
 *
 * <pre>
 *   mvn -q test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 *   java -cp target/classes:target/test-classes:$(cat target/classpath) org.openjdk.jmh.Main MessageParser
 * </pre>
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class MessageParserBenchmark {
  private static final int EVENTS = 1000;

  /** What the events look like. */
  public enum Shape {
    /** The brief's event, as JSON.stringify writes it. */
    COMPACT,
    /** The same, as Python's json.dumps writes it. */
    SPACED,
    /** The same, as JSON.stringify(…, 2) writes it. */
    INDENTED,
    /** With 50 additional members, of 2 KB in total. */
    LARGE,
    /** With names that are not ASCII. */
    UNICODE;

    private String event(int i) {
      String event =
          "{\"type\":\"EVENT\",\"timestamp\":" + (1569972083 + i) + ",\"name\":\"cart_loaded\"}";
      return switch (this) {
        case COMPACT -> event;
        case SPACED -> event.replace(":", ": ").replace(",", ", ");
        case INDENTED ->
            event
                .replace(":", ": ")
                .replace("{", "{\n    ")
                .replace(",", ",\n    ")
                .replace("}", "\n  }");
        case LARGE ->
            IntStream.range(0, 50)
                .mapToObj(k -> ",\"member_" + k + "\":{\"value\":[" + i + ",\"some words\"]}")
                .collect(Collectors.joining("", event.replace("}", ""), "}"));
        case UNICODE -> event.replace("cart_loaded", "корзина загружена 買い物かご 🛒");
      };
    }
  }

  @Param Shape shape;

  @Param({"1", "1000"})
  int eventsEach;

  private byte[][] messages;

  @Setup
  public void write() {
    messages = new byte[EVENTS / eventsEach][];
    for (int m = 0; m < messages.length; m++) {
      int first = m * eventsEach;
      messages[m] =
          IntStream.range(first, first + eventsEach)
              .mapToObj(shape::event)
              .collect(Collectors.joining(shape == Shape.SPACED ? ", " : ",", "[", "]"))
              .getBytes(StandardCharsets.UTF_8);
    }
  }

  @Benchmark
  @OperationsPerInvocation(EVENTS)
  public int scanner() {
    int events = 0;
    for (byte[] message : messages) {
      events += EntryScanner.scan(message, 0, message.length, "s").count();
    }
    return events;
  }

  @Benchmark
  @OperationsPerInvocation(EVENTS)
  public int jackson() throws ProblemException {
    int events = 0;
    for (byte[] message : messages) {
      events += JacksonParser.parse(message, 0, message.length, "s").count();
    }
    return events;
  }

  @Benchmark
  @OperationsPerInvocation(EVENTS)
  public boolean utf8() {
    boolean valid = true;
    for (byte[] message : messages) {
      valid &= Utf8.isValid(message, 0, message.length);
    }
    return valid;
  }
}
