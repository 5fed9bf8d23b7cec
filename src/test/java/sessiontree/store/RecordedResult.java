package sessiontree.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** A callback that records the result of an append. */
public final class RecordedResult implements Append.Callback {
  private final CompletableFuture<Boolean> outcome = new CompletableFuture<>();
  private final CompletableFuture<Void> flushed = new CompletableFuture<>();
  private final CompletableFuture<Void> held = new CompletableFuture<>();
  private volatile boolean noTree;
  private volatile boolean outdated;
  private final AtomicInteger times = new AtomicInteger();
  private final Runnable onRefusal;

  public RecordedResult() {
    this(() -> {});
  }

  /** Runs {@code onRefusal} when nothing was stored, as the append's sender would. */
  RecordedResult(Runnable onRefusal) {
    this.onRefusal = onRefusal;
  }

  @Override
  public void stored() {
    times.incrementAndGet();
    outcome.complete(true);
  }

  @Override
  public void failed() {
    times.incrementAndGet();
    onRefusal.run();
    outcome.complete(false);
  }

  @Override
  public void outdated() {
    outdated = true;
    failed();
  }

  @Override
  public void unknown() {
    throw new AssertionError("only a shared store does not know");
  }

  @Override
  public void storedAwaitingTree() {
    held.complete(null);
  }

  @Override
  public void noTree() {
    times.incrementAndGet();
    noTree = true;
    outcome.complete(false);
  }

  @Override
  public void flush() {
    if (outcome.isDone()) {
      flushed.complete(null);
    }
  }

  /** Waits until it is told that the result has to wait. */
  public void assertHeld() throws Exception {
    held.get(30, TimeUnit.SECONDS);
  }

  /** Waits for the result, which must be that the session will never have a tree. */
  public void assertNoTree() throws InterruptedException {
    assertThat(await()).as("stored").isFalse();
    assertThat(noTree).as("stored, without a tree").isTrue();
  }

  /** Returns the number of results so far. */
  public int times() {
    return times.get();
  }

  /** Returns whether another append came first, as only a shared store says. */
  boolean isOutdated() {
    return outdated;
  }

  /** Waits for the result, which must be that the append is stored, and for its flush. */
  public void assertStored() throws InterruptedException {
    assertThat(await()).as("stored").isTrue();
  }

  /** Waits for the result, which must be that nothing is stored, and for its flush. */
  public void assertRefused() throws InterruptedException {
    assertThat(await()).as("stored").isFalse();
    assertThat(noTree).as("stored, without a tree").isFalse();
  }

  private boolean await() throws InterruptedException {
    try {
      boolean stored = outcome.get(30, TimeUnit.SECONDS);
      flushed.get(30, TimeUnit.SECONDS);
      return stored;
    } catch (ExecutionException | TimeoutException e) {
      throw new AssertionError(outcome.isDone() ? "no flush came" : "no answer came", e);
    }
  }
}
