package sessiontree.store.local;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Pattern;
import sessiontree.store.Listing;

/**
 * Lists sessions in the order of their trees' paths, which an open session has too: so each keeps
 * its place when it completes. A page reads the folders that it crosses, and no others; with many
 * sessions that is a 256th of their names. Safe for several threads.
 */
final class Pages {
  private static final Pattern POSITION = Pattern.compile("[0-9a-f]{2}/[0-9a-z._~+-]{1,200}");

  private final OpenSessions open;
  private final TreeFiles trees;

  Pages(OpenSessions open, TreeFiles trees) {
    this.open = open;
    this.trees = trees;
  }

  Listing list(Listing.Filter filter, String after, int limit) throws IOException {
    if (after != null && !POSITION.matcher(after).matches()) {
      throw new IllegalArgumentException("no page ends at " + after);
    }
    List<Listing.Listed> page = new ArrayList<>();
    String last = after == null ? "" : after;
    for (int folder = after == null ? 0 : TreePath.folder(after);
        folder < TreePath.FOLDERS;
        folder++) {
      for (Iterator<String> paths = paths(filter, folder, last); paths.hasNext(); ) {
        String path = paths.next();
        Listing.Listed listed = listed(filter, path);
        if (listed != null && page.size() == limit) {
          return new Listing(page, last);
        }
        if (listed != null) {
          page.add(listed);
          last = path;
        }
      }
    }
    return new Listing(page, null);
  }

  /** The paths of a folder behind one: of open sessions, and of trees. */
  private Iterator<String> paths(Listing.Filter filter, int folder, String after)
      throws IOException {
    List<String> paths = new ArrayList<>();
    if (filter != Listing.Filter.OPEN) {
      paths.addAll(trees.list(folder));
    }
    if (filter != Listing.Filter.COMPLETE) {
      paths.addAll(open.in(folder).keySet());
      paths.sort(null);
    }
    return paths.stream().filter(path -> path.compareTo(after) > 0).distinct().iterator();
  }

  private Listing.Listed listed(Listing.Filter filter, String path) {
    String id = TreePath.id(path);
    LocalSession session = open.get(id);
    Listing.Listed open = session == null ? null : session.listed();
    if (open != null) {
      return filter == Listing.Filter.COMPLETE ? null : open;
    }
    return filter == Listing.Filter.OPEN ? null : trees.listed(id);
  }
}
