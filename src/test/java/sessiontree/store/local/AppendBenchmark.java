package sessiontree.store.local;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;
import sessiontree.Messages;
import sessiontree.event.Batch;
import sessiontree.metrics.Metrics;
import sessiontree.store.Append;
import sessiontree.store.Appender;

/**
 * Measures how many appends of one event the store acknowledges per second, each after it was
 * forced, for several writers with a session each. A writer waits for each result, or has up to a
 * thousand appends in flight. The store is in the temporary folder; if that is not on a disk, set
 * {@code -Djava.io.tmpdir}.
 */
@Fork(value = 1, jvmArgsAppend = "-Xmx1g")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 2)
public class AppendBenchmark {
  private static final int MAX_UNANSWERED = 1_000;

  /** The store that all writers share. */
  @State(Scope.Benchmark)
  public static class Store {
    final AtomicInteger writers = new AtomicInteger();
    Path folder;
    LocalStore store;

    @Setup
    public void open() throws IOException {
      folder = Files.createTempDirectory("append");
      store = LocalStore.open(folder, new LocalStoreOptions(256 << 20, 64 << 20), new Metrics());
    }

    @TearDown
    public void close() throws IOException {
      store.close();
      try (Stream<Path> files = Files.walk(folder)) {
        files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
      }
    }
  }

  /** A writer, with a thread and a session of its own. */
  @State(Scope.Thread)
  public static class Writer implements Append.Callback {
    private final Batch event = Messages.message(Messages.event(1_700_000_001, "view"));

    @Param({"true", "false"})
    boolean awaited;

    private int unacked;
    private Semaphore room; // permits for appends in flight
    private Appender session;

    @Setup
    public void start(Store store) throws Exception {
      unacked = awaited ? 1 : MAX_UNANSWERED;
      room = new Semaphore(unacked);
      session = new Appender(store.store.open("s" + store.writers.incrementAndGet()));
      session.append(Messages.message(Messages.start(1_700_000_000))).assertStored();
    }

    void append() throws InterruptedException {
      room.acquire();
      session.append(event, null, 0, this);
      if (awaited) {
        room.acquire();
        room.release();
      }
    }

    @Override
    public void stored() {
      room.release();
    }

    @Override
    public void outdated() {
      failed();
    }

    @Override
    public void unknown() {
      failed();
    }

    @Override
    public void failed() {
      throw new IllegalStateException("an append was refused");
    }

    @Override
    public void noTree() {
      throw new IllegalStateException("an append was refused");
    }

    @Override
    public void flush() {}

    @TearDown
    public void await(Store store) throws InterruptedException {
      room.acquire(unacked);
    }
  }

  @Benchmark
  @Threads(1)
  public void writers1(Writer writer) throws InterruptedException {
    writer.append();
  }

  @Benchmark
  @Threads(8)
  public void writers8(Writer writer) throws InterruptedException {
    writer.append();
  }

  @Benchmark
  @Threads(64)
  public void writers64(Writer writer) throws InterruptedException {
    writer.append();
  }
}
