package sessiontree.web;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.javalin.http.Context;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;
import sessiontree.event.SessionId;
import sessiontree.event.Utf8;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * {@code POST /sessions/{id}/events} and {@code DELETE /sessions/{id}}, via {@link PendingWrites}.
 */
final class Writes {
  private final SessionStore store;
  private final PendingWrites pending;
  private final Metrics metrics;

  Writes(SessionStore store, PendingWrites pending, Metrics metrics) {
    this.store = store;
    this.pending = pending;
    this.metrics = metrics;
  }

  void post(Context ctx) throws ProblemException {
    String id = SessionId.check(ctx.pathParam("id"));
    String writer = Streams.writer(ctx.queryParam("writer"));
    long number = messageNumber(ctx, writer);
    byte[] message = ctx.attribute(Bodies.BODY);
    message = message == null ? Bodies.NONE : message;
    Long waitedNanos = ctx.attribute(Bodies.WAITED);
    metrics.messageBytesReceived.inc(message.length);
    Batch batch = null;
    ProblemException unreadable = null;
    try {
      if (!Utf8.isValid(message, 0, message.length)) {
        throw new ProblemException(Problem.INVALID_JSON, "the message is not UTF-8");
      }
      batch = MessageParser.parse(message, 0, message.length, id);
    } catch (ProblemException e) {
      unreadable = e;
    }
    CompletableFuture<PendingWrites.Outcome> posted =
        pending.post(
            id,
            writer,
            new Message(number, batch, unreadable),
            waitedNanos == null ? 0 : waitedNanos);
    respond(ctx, posted, outcome -> setPosted(ctx, id, outcome));
  }

  private static long messageNumber(Context ctx, String writer) throws ProblemException {
    String message = ctx.queryParam("message");
    if ((message == null) != (writer == null)) {
      throw new ProblemException(
          Problem.INVALID_PARAMETER, "writer and message must be sent together");
    }
    if (message == null) {
      return 0;
    }
    if (!message.matches("[1-9][0-9]{0,17}")) {
      throw new ProblemException(Problem.INVALID_PARAMETER, "message must be a whole number >= 1");
    }
    return Long.parseLong(message);
  }

  private static void setPosted(Context ctx, String id, PendingWrites.Outcome outcome) {
    if (outcome.complete()) {
      ctx.header("Location", "/sessions/" + id);
    }
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("session_id", id);
    json.put("state", outcome.complete() ? "complete" : "open").put("entries", outcome.entries());
    Responses.setShort(ctx, Responses.JSON, json.toString().getBytes(StandardCharsets.UTF_8));
  }

  void delete(Context ctx) throws ProblemException, IOException {
    String id = SessionId.check(ctx.pathParam("id"));
    CompletableFuture<PendingWrites.Outcome> deleted = pending.delete(id, checkedTag(ctx, id));
    respond(ctx, deleted, outcome -> ctx.status(204).res().setContentType(null));
  }

  /**
   * Checks the conditions of a deletion. Returns the tag that the tree must have when it is
   * deleted, as {@code If-Match} demands; null if there is no such condition. Also null if nothing
   * is stored of the session, so that the deletion responds with 404, whatever the conditions.
   */
  private String checkedTag(Context ctx, String id) throws ProblemException, IOException {
    List<String> ifMatch = Collections.list(ctx.req().getHeaders("If-Match"));
    List<String> ifNoneMatch = Collections.list(ctx.req().getHeaders("If-None-Match"));
    boolean conditional = !ifMatch.isEmpty() || !ifNoneMatch.isEmpty();
    if (!conditional || store.state(id).phase() == Phase.NEW) {
      return null;
    }
    try (Tree tree = store.tree(id).orElse(null)) {
      Set<String> tags = TreeHandler.tags(Optional.ofNullable(tree));
      Preconditions.checkMatch(ifMatch, tags); // without a tree, it does not hold
      Preconditions.checkNoneMatch(ifNoneMatch, tags);
      return ifMatch.isEmpty() ? null : tree.tag();
    }
  }

  /** Responds once the outcome is known: with its problem, or by {@code done} if it has none. */
  private static void respond(
      Context ctx,
      CompletableFuture<PendingWrites.Outcome> future,
      Consumer<PendingWrites.Outcome> done) {
    ctx.future(
        () ->
            future.thenAccept(
                outcome -> {
                  if (outcome.problem() != null) {
                    Problems.respond(ctx, outcome.problem());
                  } else {
                    done.accept(outcome);
                  }
                }));
  }
}
