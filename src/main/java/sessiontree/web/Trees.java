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
 * {@code GET /sessions/{id}} and its {@code HEAD}, in front of Javalin, which would have all of a
 * tree in memory: here a client that reads slowly, or waits for a session's end, holds little, and
 * no thread. What is no such request is passed on. Safe for several threads.
 */
final class Trees extends Handler.Wrapper {
  private static final Logger LOG = LoggerFactory.getLogger(Trees.class);
  private static final String JSON = "application/json";

  /** Any cache may keep a tree, but must ask whether it is still there. */
  private static final String CACHING = "private, no-cache";

  private static final int MAX_WAIT_SECONDS = 60;

  /** A preference for how long to wait, in seconds (RFC 7240, section 4.3). */
  private static final Pattern WAIT =
      Pattern.compile("(?i)(?:^|,)\\s*wait\\s*=\\s*\"?([0-9]+)\"?\\s*(?:$|[,;])");

  private final SessionStore store;
  private final Sessions sessions;
  private final Set<Reading> waiting = ConcurrentHashMap.newKeySet();
  private final Executor snapshots;
  private volatile boolean closing;

  /**
   * Reads trees.
   *
   * @param snapshots writes down partial trees, few at a time, as each takes memory meanwhile
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

  /** Nobody waits any longer; all are responded to with what is there now. */
  void shutDown() {
    closing = true;
    waiting.forEach(Reading::wake);
  }

  /** A request until its response. */
  private final class Reading implements Session.Watcher {
    private final Request request;
    private final Response response;
    private final Callback callback;

    // Set before it waits.
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
      // While nothing is written, it is not the client that is slow.
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

    /** Responds with what is there now. */
    private void respond() {
      try {
        SessionState state = store.state(id);
        Optional<Tree> tree =
            store.tree(id); // after the state: it may be published between the two
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
        if (partial == null) { // by now it is complete, or deleted
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
      synchronized (this) { // a client that is half gone gets what is there now
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

    /** By whatever thread; the first time counts. */
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
      } catch (RuntimeException e) { // nobody above would respond to the client
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
     * Ends a response without a body, for which Jetty must not send a length of 0. By writes, not
     * by the callback alone: of a response that is still to be sent then, by another thread than
     * that which read the request, Jetty may complete the next request as well.
     */
    private void endWithoutLength() {
      response.write(
          false, null, Callback.from(() -> response.write(true, null, callback), callback::failed));
    }
  }

  /** The tags of a tree, in either coding; none where there is no tree. */
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
