package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sessiontree.event.Batch;
import sessiontree.store.log.WriteAheadLog;

/** Log records as bytes. */
class LogRecordTest {
  private Random random = new Random(1);

  static LongStream seeds() {
    return new Random().longs(20);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void record_readFromItsBytes_isWhatItWas(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      LogRecord record = record(random.nextLong(), random.nextInt(500));
      assertReadBack(record, "seed " + seed);
    }
  }

  @Test
  void record_ofTheLongestNamesAndTimestamps_isWhatItWas() {
    Batch.Bound longest = new Batch.Bound(Long.MAX_VALUE, "1".repeat(1000));
    LogRecord record =
        new LogRecord(
            LogRecord.Type.APPEND,
            Long.MAX_VALUE,
            Long.MAX_VALUE,
            "~".repeat(128),
            Long.MAX_VALUE,
            "W".repeat(128),
            Long.MAX_VALUE,
            new Begin(longest, Long.MAX_VALUE),
            new End(longest, Long.MAX_VALUE, true),
            0,
            new byte[0]);
    assertThat(body(record).remaining()).isLessThanOrEqualTo(WriteAheadLog.MAX_HEAD_BYTES);
    assertReadBack(record, "the longest");
  }

  @Test
  void record_ofTheShortestNames_isWhatItWas() {
    assertReadBack(LogRecord.probe(1, 0), "the shortest");
  }

  @Test
  void record_cutBeforeItsChildren_isNone() {
    LogRecord record = record(1, 0);
    byte[] body = body(record).array();
    for (int length = 0; length < body.length; length++) {
      assertThat(LogRecord.read(1, ByteBuffer.wrap(body, 0, length))).as("%d", length).isNull();
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void noise_isReadWithoutAFailure(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      byte[] noise = new byte[random.nextInt(200)];
      random.nextBytes(noise);
      if (noise.length > 0) {
        noise[0] = (byte) random.nextInt(3);
      }
      LogRecord read = LogRecord.read(1, ByteBuffer.wrap(noise));
      assertThat(read == null || noise[0] == 1 || noise[0] == 2).as("seed %d", seed).isTrue();
    }
  }

  /** Returns a random record with that LSN and {@code bytes} bytes of children. */
  private LogRecord record(long lsn, int bytes) {
    LogRecord record =
        new LogRecord(
            LogRecord.Type.APPEND,
            lsn,
            random.nextLong(),
            name(),
            random.nextLong(),
            random.nextBoolean() ? "" : name(),
            random.nextLong(),
            begin(),
            end(),
            random.nextInt(),
            new byte[0]);
    return withChildren(record, bytes);
  }

  private LogRecord withChildren(LogRecord record, int bytes) {
    byte[] children = new byte[bytes];
    random.nextBytes(children);
    if (bytes > 0) { // like text, it does not end with a zero
      children[bytes - 1] = '}';
    }
    return new LogRecord(
        record.type(),
        record.lsn(),
        record.millis(),
        record.id(),
        record.sequence(),
        record.writer(),
        record.number(),
        record.start(),
        record.end(),
        record.count(),
        children);
  }

  private String name() {
    String letters = "azAZ09._~-";
    int length = random.nextInt(8) == 0 ? 128 : 1 + random.nextInt(10);
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < length; i++) {
      name.append(letters.charAt(random.nextInt(letters.length())));
    }
    return name.toString();
  }

  private Batch.Bound bound() {
    if (random.nextBoolean()) {
      return null;
    }
    int digits = random.nextInt(8) == 0 ? 1000 : 1 + random.nextInt(12);
    return new Batch.Bound(random.nextLong(), "7".repeat(digits));
  }

  private Begin begin() {
    Batch.Bound bound = bound();
    return bound == null ? null : new Begin(bound, random.nextInt(4) * random.nextLong());
  }

  private End end() {
    Batch.Bound bound = bound();
    return bound == null ? null : new End(bound, random.nextLong(), random.nextBoolean());
  }

  private static void assertReadBack(LogRecord record, String what) {
    LogRecord read = LogRecord.read(record.lsn(), body(record));
    assertThat(comparable(read)).as(what).isEqualTo(comparable(record));
  }

  private static ByteBuffer body(LogRecord record) {
    ByteBuffer head = ByteBuffer.allocate(WriteAheadLog.MAX_HEAD_BYTES);
    record.putHead(head);
    head.flip();
    byte[] body = new byte[head.remaining() + record.tail().length];
    return ByteBuffer.wrap(body).put(head).put(record.tail()).flip();
  }

  /** Returns the record's components, the children in a form that is equal if the bytes are. */
  private static List<Object> comparable(LogRecord record) {
    return Arrays.asList(
        record.type(),
        record.millis(),
        record.lsn(),
        record.id(),
        record.sequence(),
        record.writer(),
        record.number(),
        record.start(),
        record.end(),
        record.count(),
        ByteBuffer.wrap(record.children()));
  }
}
