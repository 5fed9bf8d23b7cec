package sessiontree.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingNestedCallback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.session.Session;
import sessiontree.sort.Cursor;

/**
 * The response to one client that watches a session. It sends the tree so far, then the children
 * stored meanwhile, and from then on each batch as it is stored. If the store no longer knows the
 * order of the children stored meanwhile, it sends the tree again. Each part is written when the
 * client has taken the previous one. So a slow client holds a file, and later at most the bytes of
 * a {@link WatchQueue} and one batch, beyond which it is cut off.
 *
 * <p>One thread at a time appends events, as {@link org.eclipse.jetty.util.IteratingCallback}
 * guarantees; batches come from the store's threads.
 */
final class LiveStream extends IteratingNestedCallback implements Session.Watcher {
  private static final Logger LOG = LoggerFactory.getLogger(LiveStream.class);
  private static final long COMMENT_NANOS = TimeUnit.SECONDS.toNanos(15);

  /** How many trees a stream sends at most until it has caught up with the session. */
  private static final int MAX_SNAPSHOTS = 4;

  private final Live live;
  private final Session session;
  private final Request request;
  private final Response response;
  private final WatchQueue queue;
  private final LiveNews news = new LiveNews();
  private final ChildEvents events = new ChildEvents();
  private final AtomicBoolean woken = new AtomicBoolean();

  // Owned by the thread that appends events.
  private LiveTree snapshot;
  private Cursor since; // children stored after those sent, or null
  private boolean watching;
  private long sent; // number of children sent, or known to the client
  private int snapshots; // number of trees opened since the stream had caught up
  private boolean finished;
  private boolean lastWritten; // whether the last part is written

  private volatile Hangup hangup;
  private volatile boolean opening = true; // while true, the opening thread owns those above
  private volatile ProblemException refusal; // the response if nothing was sent before
  private volatile long sentNanos;

  LiveStream(Live live, Session session, Request request, Response response, Callback callback) {
    super(callback);
    this.live = live;
    this.sentNanos = live.time().nanos();
    this.queue = new WatchQueue(live);
    this.session = session;
    this.request = request;
    this.response = response;
  }

  Session session() {
    return session;
  }

  /**
   * Starts sending.
   *
   * @param known number of children that the client has seen; -1 for a new client
   */
  void start(long known) {
    request.addIdleTimeoutListener(idle -> false); // the session may be idle, not the client
    live.begun(this);
    hangup = Hangup.await(request, this::stop);
    since = known > 0 ? session.since(known) : null;
    sent = since == null ? 0 : known;
    if (since == null) {
      open(known >= 0);
    } else {
      news.requestComment(); // so that the client gets the response's head at once
      opening = false;
      iterate();
    }
  }

  /** Opens the tree as it is now, on another thread; nothing is sent meanwhile. */
  private void open(boolean again) {
    opening = true;
    live.snapshots()
        .execute(
            () -> {
              try {
                openNow(again);
              } catch (IOException | RuntimeException e) {
                LOG.warn("session={} cannot be watched: {}", session.id(), e.toString());
                refusal =
                    again ? null : Problems.unreadable(); // a client that connects anew tries again
                stop();
              }
              opening = false;
              iterate();
            });
  }

  private void openNow(boolean again) throws IOException {
    if (news.isStopped()) { // the client is gone
      return;
    }
    if (++snapshots > MAX_SNAPSHOTS) {
      LOG.warn(
          "session={} grows faster than its watcher reads, which may connect anew", session.id());
      stop();
      return;
    }
    snapshot = LiveTree.open(live.store(), session.id());
    if (snapshot == null) {
      refusal = Problems.notFound(session.id());
      deleted();
      return;
    }
    if (session.isDeleted()) { // then the tree may be that of the id's next session
      snapshot.close();
      snapshot = null;
      deleted();
      return;
    }
    if (again && snapshot.isComplete() && sent == snapshot.children()) {
      snapshot.skip(); // all has been sent
      return;
    }
    events.beginTree();
    if (again) {
      events.event("reset", "{}", -1);
    }
    events.event("session", snapshot.describe(session.id()), 0);
  }

  @Override
  protected Action process() throws IOException {
    if (lastWritten) {
      return Action.SUCCEEDED;
    }
    if (opening) {
      return Action.IDLE;
    }
    if (refusal != null && !response.isCommitted()) {
      lastWritten = true;
      hangup.cancel();
      Problems.respond(response, this, refusal);
      return Action.SCHEDULED;
    }
    while (!opening && !events.isFull() && !finished && appendNext()) {}
    if (opening || (events.isEmpty() && !finished)) { // no writes while a tree is opened
      return Action.IDLE;
    }
    ByteBuffer part = events.take();
    lastWritten = finished && events.isEmpty();
    if (lastWritten) {
      hangup.cancel();
    }
    sentNanos = live.time().nanos();
    response.write(lastWritten, part, this);
    return Action.SCHEDULED;
  }

  /** Appends the next events. Returns false if there are none now. */
  private boolean appendNext() throws IOException {
    if (news.isStopped()) {
      finished = true;
      return true;
    }
    if (snapshot != null) {
      appendFromSnapshot();
      return true;
    }
    if (since != null) {
      appendSince();
      return true;
    }
    return appendMissed() || appendFromQueue() || appendEnd() || appendComment();
  }

  private void appendFromSnapshot() throws IOException {
    if (!snapshot.append(events)) {
      return;
    }
    sent = snapshot.children();
    boolean complete = snapshot.isComplete();
    snapshot.close();
    snapshot = null;
    if (complete) {
      appendComplete();
    } else {
      follow();
    }
  }

  private void appendSince() throws IOException {
    try {
      if (since.next()) {
        events.child(since, ++sent);
        return;
      }
    } catch (IOException e) { // the tree was made meanwhile, or the session deleted
      LOG.debug("session={} sending its tree again", session.id(), e);
      startAnew();
      return;
    }
    since = null;
    if (watching) {
      snapshots = 0;
    } else { // batches are queued from now on; follow() gets those before
      watching = true;
      session.watch(this);
      follow();
    }
  }

  /** Continues with the children stored since, or another tree if their order is not known. */
  private void follow() {
    since = session.since(sent);
    if (since == null) {
      startAnew();
    }
  }

  private void startAnew() {
    since = null;
    stopWatching();
    news.forgetCompletion();
    open(true);
  }

  private void stopWatching() {
    watching = false;
    session.unwatch(this);
    queue.clear();
  }

  private boolean appendFromQueue() {
    long with = queue.move(sent, events);
    sent = Math.max(sent, with);
    return with >= 0;
  }

  /** Continues with the missed batches, which the store has, and then watches again. */
  private boolean appendMissed() {
    if (!news.takeMissed()) {
      return false;
    }
    stopWatching();
    follow();
    return true;
  }

  private boolean appendEnd() {
    LiveNews.End end = news.endAfter(sent);
    if (end == null) {
      return appendMissed();
    }
    if (end == LiveNews.End.COMPLETE) {
      appendComplete();
    } else {
      events.event("deleted", "{}", 0); // so that a reconnect does not skip events of a new session
    }
    finished = true;
    return true;
  }

  private void appendComplete() {
    events.event("complete", "{\"location\":\"/sessions/" + session.id() + "\"}", sent);
    finished = true;
  }

  private boolean appendComment() {
    boolean due = news.takeComment();
    if (due) {
      events.comment();
    }
    return due;
  }

  /** Blocking, as the next part may have to be read from the disk. */
  @Override
  public InvocationType getInvocationType() {
    return InvocationType.BLOCKING;
  }

  // --- Called by any thread.

  @Override
  public void stored(long before, Batch batch) {
    if (queue.add(before, batch)) {
      live.keepWithinBound(this);
    } else {
      drop();
    }
    wake();
  }

  boolean isBehind() {
    return !queue.isEmpty();
  }

  long sentNanos() {
    return sentNanos;
  }

  /** Cuts off the client, which is too slow. */
  void drop() {
    live.countDropped();
    queue.close();
    request.getConnectionMetaData().getConnection().getEndPoint().close();
    stop();
  }

  @Override
  public void missed() {
    news.miss();
    wake();
  }

  @Override
  public void completed(long entries) {
    news.complete(entries);
    wake();
  }

  @Override
  public void deleted() {
    end(LiveNews.End.DELETED);
  }

  /** Ends the stream without a final event. */
  void stop() {
    end(LiveNews.End.STOPPED);
  }

  private void end(LiveNews.End why) {
    news.end(why);
    wake();
  }

  void tick(long nowNanos) {
    if (nowNanos - sentNanos >= COMMENT_NANOS) {
      news.requestComment();
      wake();
    }
  }

  private void wake() {
    if (woken.compareAndSet(false, true)) {
      request
          .getComponents()
          .getExecutor()
          .execute(
              () -> {
                woken.set(false);
                iterate();
              });
    }
  }

  @Override
  protected void onCompleteSuccess() {
    release();
    super.onCompleteSuccess();
  }

  @Override
  protected void onFailure(Throwable cause) {
    hangup.cancel();
    release();
    super.onFailure(cause);
    Problems.endIfOutOfMemory(cause);
  }

  private void release() {
    queue.close();
    stopWatching();
    live.ended(this);
    if (snapshot != null) {
      snapshot.close();
    }
  }
}
