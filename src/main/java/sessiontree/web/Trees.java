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
final class Trees extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(Trees.class);
  private static final String JSON = "application/json";

  /** A private cache may keep a tree, but must check on each use that it still exists. */
  private static final String CACHING = "private, no-cache";

  private static final int MAX_WAIT_SECONDS = 60;

  /** The {@code wait} preference, in seconds (RFC 7240, section 4.3). */
  private static final Pattern WAIT =
      Pattern.compile("(?i)(?:^|,)\\s*wait\\s*=\\s*\"?([0-9]+)\"?\\s*(?:$|[,;])");

  private final SessionStore store;
  private final Sessions sessions;
  private final Set<Reading> waiting = ConcurrentHashMap.newKeySet();
  private final Executor snapshots;
  private volatile boolean closing;

  /**
   * Creates the handler.
   *
   * @param snapshots writes partial trees, few at a time, as each takes memory meanwhile
   */
  Trees(SessionStore store, Sessions sessions, Executor snapshots) {
    this.store = store;
    this.sessions = sessions;
    this.snapshots = snapshots;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    String id = Route.SESSION.id(request.getHttpURI().getPath());
    if (id == null
        || !(HttpMethod.GET.is(request.getMethod()) || HttpMethod.HEAD.is(request.getMethod()))) {
      return super.handle(request, response, callback);
    }
    new Reading(request, response, callback).find(id);
    return true;
  }

  /** Ends all waits; each request gets a response with what is stored now. */
  void shutDown() {
    closing = true;
    waiting.forEach(Reading::wake);
  }

  /** A request that has no response yet. */
  private final class Reading implements Session.Watcher {
    private final Request request;
    private final Response response;
    private final Callback callback;

    // Written once, before the request waits.
    private String id;
    private Session session;

    // Guarded by this.
    private Scheduler.Task timeout;
    private Hangup hangup;
    private boolean awake;

    Reading(Request request, Response response, Callback callback) {
      this.request = request;
      this.response = response;
      this.callback = callback;
    }

    void find(String named) {
      // Until a response is written, an idle connection is not the client's fault.
      request.addIdleTimeoutListener(idle -> false);
      try {
        id = SessionId.check(named);
        look();
      } catch (ProblemException e) {
        Problems.respond(response, callback, e);
      }
    }

    private void look() {
      try {
        boolean partial = asksForPartial(request);
        Tree tree = store.tree(id).orElse(null);
        if (tree != null) {
          send(tree);
          return;
        }
        if (partial) {
          snapshots.execute(this::respondPartially);
          return;
        }
        long seconds = waitSeconds(request);
        if (seconds > 0 && store.state(id).phase() != Phase.NEW) {
          await(seconds);
        } else {
          respond();
        }
      } catch (ProblemException e) {
        refuse(e);
      } catch (IOException e) {
        fail(e);
      }
    }

    /** Responds with what is stored now: the tree, or the problem that there is none yet. */
    private void respond() {
      try {
        SessionState state = store.state(id);
        // Read after the state, as the tree may be published between the two.
        Optional<Tree> tree = store.tree(id);
        if (tree.isPresent()) {
          send(tree.get());
        } else if (state.phase() == Phase.NEW || state.phase() == Phase.COMPLETE) { // or deleted
          throw new ProblemException(
              Problem.SESSION_NOT_FOUND, "nothing is stored of session " + id);
        } else {
          throw new ProblemException(
                  Problem.SESSION_IN_PROGRESS,
                  "session " + id + " has no SESSION_END yet; its tree comes with it")
              .with("entries", state.entries());
        }
      } catch (ProblemException e) {
        refuse(e);
      } catch (IOException e) {
        fail(e);
      }
    }

    /** Responds with the tree so far. */
    private void respondPartially() {
      try {
        PartialTree partial = store.partial(id).orElse(null);
        if (partial == null) { // complete or deleted meanwhile
          respondOrFail();
          return;
        }
        response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
        response.getHeaders().add(HttpHeader.VARY, "Accept-Encoding");
        write(partial.tree(), Gzip.isAccepted(request.getHeaders()));
      } catch (IOException e) {
        fail(e);
      } catch (RuntimeException e) {
        callback.failed(e);
      }
    }

    private void fail(IOException e) {
      LOG.error("session={} cannot be read: {}", id, e.toString());
      refuse(new ProblemException(Problem.STORAGE_UNAVAILABLE, "what is stored cannot be read"));
    }

    private void refuse(ProblemException e) {
      Problems.respond(response, callback, e);
    }

    private void await(long seconds) throws ProblemException, IOException {
      session = sessions.acquire(id);
      synchronized (this) {
        timeout =
            request.getComponents().getScheduler().schedule(this::wake, seconds, TimeUnit.SECONDS);
      }
      waiting.add(this);
      synchronized (this) { // a client that half-closes gets a response at once
        hangup = Hangup.await(request, this::wake);
      }
      session.watch(this);
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
    private void wake() {
      synchronized (this) {
        if (awake) {
          return;
        }
        awake = true;
        timeout.cancel();
      }
      request
          .getComponents()
          .getExecutor()
          .execute(
              () -> {
                cancelHangup();
                waiting.remove(this);
                session.unwatch(this);
                sessions.release(session);
                respondOrFail();
              });
    }

    private void respondOrFail() {
      try {
        respond();
      } catch (RuntimeException e) { // no caller would respond to the client
        callback.failed(e);
      }
    }

    private void cancelHangup() {
      Hangup awaited;
      synchronized (this) {
        awaited = hangup;
      }
      if (awaited != null) {
        awaited.cancel();
      }
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
        endWithoutLength();
        return;
      }
      write(tree, gzip);
    }

    private void write(Tree tree, boolean gzip) throws IOException {
      HttpFields.Mutable headers = response.getHeaders();
      headers.put(HttpHeader.CONTENT_TYPE, JSON);
      if (gzip) {
        headers.put(HttpHeader.CONTENT_ENCODING, "gzip");
      } else {
        headers.put(HttpHeader.CONTENT_LENGTH, tree.bytes());
      }
      if (HttpMethod.HEAD.is(request.getMethod())) {
        tree.close();
        if (gzip) {
          endWithoutLength();
        } else {
          response.write(true, null, callback);
        }
        return;
      }
      TreeSender.send(tree, gzip, response, callback);
    }

    /**
     * Ends a response without a body, for which Jetty must not send {@code Content-Length: 0}. It
     * writes, and does not only complete the callback: if the response is still unsent then, and
     * the thread is not the one that read the request, Jetty may complete the next request as well.
     */
    private void endWithoutLength() {
      response.write(
          false, null, Callback.from(() -> response.write(true, null, callback), callback::failed));
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
