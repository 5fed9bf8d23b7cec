package sessiontree.web;

import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.io.AbstractEndPoint;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.PartialTree;
import sessiontree.store.SessionState;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * Handler of {@code GET} and {@code HEAD /sessions/{id}}; passes other requests on. It runs in
 * front of Javalin, which would hold a whole tree in memory: here a client that reads slowly, or
 * waits for a session's end, holds little memory and no thread. Safe for several threads.
 */
final class TreeHandler extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(TreeHandler.class);

  /** A private cache may keep a tree, but must check on each use that it still exists. */
  private static final String CACHING = "private, no-cache";

  private static final int MAX_WAIT_SECONDS = 60;

  /** The {@code wait} preference, in seconds (RFC 7240, section 4.3). */
  private static final Pattern WAIT =
      Pattern.compile("(?i)(?:^|,)\\s*wait\\s*=\\s*\"?([0-9]+)\"?\\s*(?:$|[,;])");

  private final SessionStore store;
  private final Sessions sessions;
  private final Set<PendingGet> waiting = ConcurrentHashMap.newKeySet();
  private final Executor snapshots;
  private volatile boolean closing;

  /**
   * Creates the handler.
   *
   * @param snapshots writes partial trees, few at a time, as each takes memory meanwhile
   */
  TreeHandler(SessionStore store, Sessions sessions, Executor snapshots) {
    this.store = store;
    this.sessions = sessions;
    this.snapshots = snapshots;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    if (Route.of(request) != Route.SESSION
        || !(HttpMethod.GET.is(request.getMethod()) || HttpMethod.HEAD.is(request.getMethod()))) {
      return super.handle(request, response, callback);
    }
    new PendingGet(Route.idOf(request), request, response, callback).start();
    return true;
  }

  /** Ends all waits; each request gets a response with what is stored now. */
  void shutDown() {
    closing = true;
    waiting.forEach(PendingGet::wake);
  }

  /** A step towards a response. */
  private interface Step {
    void run() throws ProblemException, IOException;
  }

  /** A request that has no response yet. */
  private final class PendingGet implements Session.Watcher {
    private final Request request;
    private final Response response;
    private final Callback callback;
    private final String id;

    private Session session; // written once, before the request waits

    // Written once, while holding the lock that wake() takes.
    private Scheduler.Task timeout;
    private Hangup hangup;
    private AbstractEndPoint endPoint;
    private long idleMillis;

    /** Whether the wait has ended. Guarded by this. */
    private boolean awake;

    PendingGet(String id, Request request, Response response, Callback callback) {
      this.id = id;
      this.request = request;
      this.response = response;
      this.callback = callback;
    }

    void start() {
      // Until a response is written, an idle connection is not the client's fault.
      request.addIdleTimeoutListener(idle -> false);
      attempt(this::lookUp);
    }

    private void attempt(Step step) {
      try {
        step.run();
      } catch (ProblemException e) {
        Problems.respond(response, callback, e);
      } catch (IOException e) {
        LOG.error("session={} cannot be read: {}", id, e.toString());
        Problems.respond(response, callback, Problems.unreadable());
      }
    }

    private void attemptOn(Executor executor, Step step) {
      executor.execute(
          () -> {
            try {
              attempt(step);
            } catch (RuntimeException e) { // no caller would respond to the client
              callback.failed(e);
            }
          });
    }

    private void lookUp() throws ProblemException, IOException {
      SessionId.check(id);
      boolean partial = asksForPartial(request);
      Tree tree = store.tree(id).orElse(null);
      if (tree != null) {
        send(tree);
        return;
      }
      if (partial) {
        attemptOn(snapshots, this::respondPartially);
        return;
      }
      long seconds = waitSeconds(request);
      if (seconds > 0 && store.state(id).phase() != Phase.NEW) {
        await(seconds);
      } else {
        respond();
      }
    }

    /** Responds with what is stored now: the tree, or the problem that there is none yet. */
    private void respond() throws ProblemException, IOException {
      SessionState state = store.state(id);
      // Read after the state, as the tree may be published between the two.
      Optional<Tree> tree = store.tree(id);
      if (tree.isPresent()) {
        send(tree.get());
      } else if (state.phase() == Phase.NEW || state.phase() == Phase.COMPLETE) { // or deleted
        throw Problems.notFound(id);
      } else {
        String why =
            state.phase() == Phase.ENDED
                ? " has ended, and its tree is still being made"
                : " has no SESSION_END yet; its tree exists once it has one";
        throw new ProblemException(Problem.SESSION_IN_PROGRESS, "session " + id + why)
            .with("entries", state.entries());
      }
    }

    /** Responds with the tree so far. */
    private void respondPartially() throws ProblemException, IOException {
      PartialTree partial = store.partial(id).orElse(null);
      if (partial == null) { // complete or deleted meanwhile
        respond();
        return;
      }
      response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
      response.getHeaders().add(HttpHeader.VARY, "Accept-Encoding");
      write(partial.tree(), Gzip.isAccepted(request.getHeaders()));
    }

    private void await(long seconds) throws ProblemException, IOException {
      session = sessions.acquire(id);
      synchronized (this) { // the wait cannot end before all of this is done
        timeout =
            request.getComponents().getScheduler().schedule(this::wake, seconds, TimeUnit.SECONDS);
        hangup = Hangup.await(request, this::wake); // also on a half-close
        endPoint = (AbstractEndPoint) request.getConnectionMetaData().getConnection().getEndPoint();
        idleMillis = endPoint.getIdleTimeout();
        endPoint.setIdleTimeout(0); // a check at the wait's end would race with the response
        waiting.add(this);
        session.watch(this);
      }
      if (closing) {
        wake();
      }
    }

    @Override
    public void completed(long entries) {
      wake();
    }

    @Override
    public void deleted() {
      wake();
    }

    /** Ends the wait. Called by any thread; only the first call has an effect. */
    private synchronized void wake() {
      if (!awake) {
        awake = true;
        attemptOn(request.getComponents().getExecutor(), this::endWait);
      }
    }

    private void endWait() throws ProblemException, IOException {
      timeout.cancel();
      hangup.cancel();
      endPoint.notIdle();
      endPoint.setIdleTimeout(idleMillis);
      waiting.remove(this);
      session.unwatch(this);
      sessions.release(session);
      respond();
    }

    private void send(Tree tree) throws IOException {
      boolean gzip = Gzip.isAccepted(request.getHeaders());
      String tag = quoted(tree, gzip);
      try {
        Preconditions.checkMatch(
            request.getHeaders().getValuesList(HttpHeader.IF_MATCH), Set.of(tag));
      } catch (ProblemException e) {
        tree.close();
        Problems.respond(response, callback, e);
        return;
      }
      HttpFields.Mutable headers = response.getHeaders();
      headers.put(HttpHeader.ETAG, tag);
      headers.add(HttpHeader.VARY, "Accept-Encoding");
      headers.put(HttpHeader.CACHE_CONTROL, CACHING);
      if (Preconditions.isKnown(
          request.getHeaders().getValuesList(HttpHeader.IF_NONE_MATCH), Set.of(tag))) {
        tree.close();
        response.setStatus(304);
        Responses.endWithoutLength(response, callback);
        return;
      }
      write(tree, gzip);
    }

    private void write(Tree tree, boolean gzip) throws IOException {
      HttpFields.Mutable headers = response.getHeaders();
      headers.put(HttpHeader.CONTENT_TYPE, Responses.JSON);
      if (gzip) {
        headers.put(HttpHeader.CONTENT_ENCODING, "gzip");
      } else {
        headers.put(HttpHeader.CONTENT_LENGTH, tree.bytes());
      }
      if (HttpMethod.HEAD.is(request.getMethod())) {
        tree.close();
        if (gzip) {
          Responses.endWithoutLength(response, callback);
        } else {
          response.write(true, null, callback);
        }
        return;
      }
      TreeSender.send(tree, gzip, response, callback);
    }
  }

  /** Returns the entity tags of a tree, plain and gzip; empty if there is no tree. */
  static Set<String> tags(Optional<Tree> tree) {
    return tree.map(each -> Set.of(quoted(each, false), quoted(each, true))).orElse(Set.of());
  }

  private static String quoted(Tree tree, boolean gzip) {
    return '"' + tree.tag() + (gzip ? "-gzip\"" : "\"");
  }

  private static boolean asksForPartial(Request request) throws ProblemException {
    String partial = Request.extractQueryParameters(request).getValue("partial");
    if (partial == null || partial.equals("false")) {
      return false;
    }
    if (partial.equals("true")) {
      return true;
    }
    throw new ProblemException(Problem.INVALID_PARAMETER, "partial is true or false");
  }

  private static long waitSeconds(Request request) {
    for (String preferences : request.getHeaders().getValuesList("Prefer")) {
      Matcher wait = WAIT.matcher(preferences);
      if (wait.find()) {
        String seconds = wait.group(1);
        return seconds.length() > 9
            ? MAX_WAIT_SECONDS
            : Math.min(MAX_WAIT_SECONDS, Long.parseLong(seconds));
      }
    }
    return 0;
  }
}
