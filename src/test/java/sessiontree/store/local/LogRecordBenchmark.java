package sessiontree.store.local;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import sessiontree.Messages;
import sessiontree.event.Batch;
import sessiontree.store.log.WriteAheadLog;

/**
 * Measures how long it takes to write a log record up to its children, which go to the file
 * unchanged, and to read a whole record. A score is in nanoseconds per record.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class LogRecordBenchmark {
  @Param({"1", "1000"})
  int children;

  private LogRecord record;
  private ByteBuffer head;
  private ByteBuffer body;

  @Setup
  public void make() {
    Batch batch =
        Messages.message(
            IntStream.range(0, children)
                .mapToObj(i -> Messages.event(1_700_000_000 + i, "view"))
                .toList());
    record =
        new LogRecord(
            LogRecord.Type.APPEND,
            1,
            5_000,
            "e6fa79ca-d142-4046-a134-5134f16a0b5e",
            20,
            "",
            0,
            null,
            null,
            batch.count(),
            batch.children());
    head = ByteBuffer.allocateDirect(WriteAheadLog.MAX_HEAD_BYTES);
    body = ByteBuffer.allocate(WriteAheadLog.MAX_HEAD_BYTES + batch.children().length);
    record.putHead(body);
    body.put(batch.children()).flip();
  }

  @Benchmark
  public ByteBuffer putHead() {
    record.putHead(head.clear());
    return head;
  }

  @Benchmark
  public Object read() {
    return LogRecord.read(1, body.rewind());
  }
}
