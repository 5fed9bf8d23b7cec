package sessiontree.sort;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
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
import sessiontree.event.Child;

/**
 * Time to add a session's children to a buffer, in batches of a thousand, and to iterate over them
 * in order; and to iterate over a merge of 100,000 children whose cursors overlap.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "-Xmx1g")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class SortBenchmark {
  private static final int BATCH = 1_000;
  private static final int MERGED = 100_000;
  private static final long FIRST_KEY = 1_700_000_000_000_000_000L;
  private static final long SECOND = 1_000_000_000;

  private static byte[] batch(int first, int children, Random shuffled) {
    List<Child> batch = new ArrayList<>();
    for (int i = first; i < first + children; i++) {
      long second = shuffled == null ? i : shuffled.nextInt(1_000_000);
      String text = "{\"type\":\"EVENT\",\"timestamp\":17000000" + i % 100 + ",\"name\":\"view\"}";
      batch.add(new Child(FIRST_KEY + second * SECOND, text));
    }
    return Child.bytes(batch);
  }

  private static long walk(Cursor cursor) throws IOException {
    long sum = 0;
    while (cursor.next()) {
      sum += cursor.key() + cursor.array()[cursor.offset() + cursor.length() - 1];
    }
    return sum;
  }

  /** The batches of a session. */
  @State(Scope.Thread)
  public static class Batches {
    @Param({"1000", "1000000"})
    int children;

    @Param({"true", "false"})
    boolean inOrder;

    byte[][] batches;

    @Setup
    public void make() {
      Random random = inOrder ? null : new Random(1);
      batches = new byte[children / BATCH][];
      for (int b = 0; b < batches.length; b++) {
        batches[b] = batch(b * BATCH, BATCH, random);
      }
    }
  }

  /** Children in order, in one buffer for each cursor. */
  @State(Scope.Thread)
  public static class Runs {
    @Param({"4", "32"})
    int cursors;

    List<SessionBuffer> runs;

    @Setup
    public void make() throws IOException {
      Random random = new Random(1);
      runs = new ArrayList<>();
      for (int c = 0; c < cursors; c++) {
        SessionBuffer unsorted = new SessionBuffer();
        unsorted.add(batch(0, MERGED / cursors, random), MERGED / cursors);
        SessionBuffer run = new SessionBuffer();
        List<Child> one = ListCursor.drain(unsorted.sorted());
        run.add(Child.bytes(one), one.size());
        runs.add(run);
      }
    }
  }

  @Benchmark
  public long buffer(Batches session) throws IOException {
    SessionBuffer buffer = new SessionBuffer();
    for (byte[] batch : session.batches) {
      buffer.add(batch, BATCH);
    }
    return walk(buffer.sorted());
  }

  @Benchmark
  public long merge(Runs session) throws IOException {
    List<Cursor> cursors = new ArrayList<>();
    for (SessionBuffer run : session.runs) {
      cursors.add(run.sorted());
    }
    return walk(MergeIterator.of(cursors));
  }
}
