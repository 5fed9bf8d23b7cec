package sessiontree.web;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.store.PartialTree;
import sessiontree.store.SessionState;
import sessiontree.store.SessionStore;
import sessiontree.store.Tree;

/**
 * A session's tree at one moment, complete or not, which is sent to a watcher part by part. Not
 * safe for several threads.
 */
final class LiveTree implements Closeable {
  private static final Logger LOG = LoggerFactory.getLogger(LiveTree.class);
  private static final int PART_BYTES = 8 << 10;

  /** Bytes at the beginning of a tree that include its start, whose length is limited. */
  private static final int HEAD_BYTES = 1_100;

  private static final String BEFORE_START = "\"start\":";

  private final Tree tree;
  private final boolean complete;
  private final long entries;
  private final long children;
  private long position; // offset of the next part

  private LiveTree(Tree tree, boolean complete, long entries, long children) {
    this.tree = tree;
    this.complete = complete;
    this.entries = entries;
    this.children = children;
  }

  /** Opens the tree as it is now; returns null if nothing is stored. */
  static LiveTree open(SessionStore store, String id) throws IOException {
    Optional<PartialTree> partial = store.partial(id);
    if (partial.isPresent()) {
      PartialTree now = partial.get();
      return new LiveTree(now.tree(), false, now.entries(), now.children());
    }
    SessionState state = store.state(id);
    Tree tree = store.tree(id).orElse(null);
    return tree == null ? null : new LiveTree(tree, true, state.entries(), state.entries() - 2);
  }

  boolean isComplete() {
    return complete;
  }

  long children() {
    return children;
  }

  /** Returns the data of the event that begins the tree. */
  String describe(String id) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES);
    tree.read(head, 0);
    String text = new String(head.array(), 0, head.position(), StandardCharsets.US_ASCII);
    int from = text.indexOf(BEFORE_START) + BEFORE_START.length();
    String start = text.substring(from, text.indexOf(',', from));
    return "{\"session_id\":\"%s\",\"start\":%s,\"entries\":%d}".formatted(id, start, entries);
  }

  /** Skips all parts. */
  void skip() {
    position = tree.bytes();
  }

  /** Appends the children of the next part. Returns whether it was the last one. */
  boolean append(ChildEvents events) throws IOException {
    ByteBuffer part = ByteBuffer.allocate((int) Math.min(PART_BYTES, tree.bytes() - position));
    tree.read(part, position);
    position += part.position();
    events.tree(part.flip(), children);
    return position == tree.bytes();
  }

  @Override
  public void close() {
    try {
      tree.close();
    } catch (IOException e) { // harmless: it was only read
      LOG.debug("a tree cannot be closed", e);
    }
  }
}
