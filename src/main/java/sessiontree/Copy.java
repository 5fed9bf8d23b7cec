package sessiontree;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.MissingArgumentException;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import sessiontree.metrics.Metrics;
import sessiontree.store.Contents;
import sessiontree.store.Listing;
import sessiontree.store.Listing.Filter;
import sessiontree.store.Listing.Listed;
import sessiontree.store.SessionState.Phase;
import sessiontree.store.Tree;
import sessiontree.store.local.LocalStore;
import sessiontree.store.local.LocalStoreOptions;
import sessiontree.store.postgres.Import;
import sessiontree.store.postgres.PostgresStore;

/**
 * The {@code copy} command, which copies a folder's sessions to a database: the complete ones, then
 * the open ones. It skips sessions that the database already has, so it can be run again.
 */
final class Copy {
  private static final String USAGE =
      """
      usage: sessiontree copy --from DIR --to postgresql://USER@HOST:5432/DATABASE
      Copies the sessions of a folder, whose server is stopped, to a database that servers may use.
      The password may be in SESSIONTREE_STORE_PASSWORD. Skips sessions that the database has.
      Exit codes: 0 copied, 1 failed, or some were not copied, 2 wrong usage.""";

  private static final int PAGE = 1_000;
  private static final long LOG_BYTES = 512 << 20;
  private static final long PROGRESS_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long FINISH_POLL_MILLIS = 20;

  private final LocalStore from;
  private final Import to;
  private final Set<String> damaged = new TreeSet<>();
  private long complete;
  private long open;
  private long known;
  private long conflicts;
  private long different;
  private long bytes;
  private long progressNanos = System.nanoTime();

  private Copy(LocalStore from, Import to) {
    this.from = from;
    this.to = to;
  }

  /**
   * Runs the command.
   *
   * @param arguments the arguments after the command's name
   * @return whether the database has every session that can be read
   * @throws ParseException if an argument is invalid
   * @throws IOException if a store cannot be used, or fails
   */
  static boolean run(List<String> arguments, String password) throws ParseException, IOException {
    Options options = new Options().addOption("h", "help", false, null);
    options.addOption(Option.builder().longOpt("from").hasArg().get());
    options.addOption(Option.builder().longOpt("to").hasArg().get());
    CommandLine line;
    try {
      line = new DefaultParser(false).parse(options, arguments.toArray(new String[0]));
    } catch (MissingArgumentException e) {
      throw new ParseException("--" + e.getOption().getLongOpt() + ": needs a value");
    }
    if (line.hasOption("help")) {
      System.out.println(USAGE);
      return true;
    }
    if (!line.getArgList().isEmpty()) {
      throw new ParseException("not an option: " + String.join(" ", line.getArgList()));
    }
    String folder = only(line, "from");
    String database = only(line, "to");
    if (folder.isBlank() || !Files.isDirectory(Path.of(folder, "log"))) { // open() would make it
      throw new ParseException("--from: must be the folder of a server; got " + folder);
    }
    try {
      PostgresStore.check(database);
    } catch (IllegalArgumentException e) { // its message does not show the password
      throw new ParseException("--to: " + e.getMessage());
    }
    return copy(Path.of(folder), database, password);
  }

  private static String only(CommandLine line, String name) throws ParseException {
    String[] given = line.getOptionValues(name);
    if (given == null || given.length > 1) {
      throw new ParseException(
          "--" + name + (given == null ? ": is needed" : ": must be given once"));
    }
    return given[0];
  }

  private static boolean copy(Path folder, String database, String password) throws IOException {
    long memoryBytes = Runtime.getRuntime().maxMemory() / 4;
    String used = folder.toString();
    try (LocalStore from =
        LocalStore.open(folder, new LocalStoreOptions(memoryBytes, LOG_BYTES), new Metrics())) {
      used = PostgresStore.withoutPassword(database);
      try (Import to = Import.open(database, password)) {
        return new Copy(from, to).all();
      }
    } catch (SQLException e) {
      throw new IOException("the database failed; run the copy again: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new IOException("cannot use store " + used + ": " + Main.reason(e), e);
    }
  }

  private boolean all() throws SQLException, IOException {
    awaitTrees();
    copy(Filter.COMPLETE);
    copy(Filter.OPEN);
    damaged.addAll(from.damaged());
    damaged.forEach(id -> System.err.println("session=" + id + " is damaged; skipped"));
    System.out.println(
        "copied %d complete and %d open sessions, %d were there already, %d conflicts, %d damaged"
            .formatted(complete, open, known, conflicts, damaged.size()));
    return conflicts == 0 && different == 0;
  }

  /** Waits until every session that has ended is complete or known to be damaged. */
  private void awaitTrees() throws IOException {
    String after = null;
    do {
      Listing page = from.list(Listing.Query.oldest(Filter.OPEN, after, PAGE));
      for (Listed one : page.sessions()) {
        while (from.state(one.id()).phase() == Phase.ENDED) {
          try {
            Thread.sleep(FINISH_POLL_MILLIS);
          } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
          }
        }
      }
      after = page.next();
    } while (after != null);
  }

  private void copy(Filter filter) throws SQLException, IOException {
    String after = null;
    do {
      Listing page = from.list(Listing.Query.oldest(filter, after, PAGE));
      Map<String, Boolean> there = to.known(page.sessions());
      for (Listed one : page.sessions()) {
        Boolean same = there.get(one.id());
        if (same == null) {
          add(one);
        } else if (same) {
          known++;
        } else {
          conflict(one.id());
        }
        if (to.isFull()) {
          commit();
        }
      }
      commit();
      after = page.next();
    } while (after != null);
  }

  private void add(Listed one) throws SQLException {
    try {
      if (one.complete()) {
        try (Tree tree = from.tree(one.id()).orElseThrow(IOException::new)) {
          to.add(one, from.state(one.id()).entries(), from.lastNumbers(one.id()), tree);
        }
      } else {
        try (Contents contents = from.contents(one.id()).orElseThrow(IOException::new)) {
          to.add(one, contents);
        }
      }
    } catch (IOException e) { // the folder's session cannot be read
      damaged.add(one.id());
    }
  }

  private void commit() throws SQLException {
    Import.Outcome outcome = to.commit();
    for (Listed one : outcome.copied()) {
      complete += one.complete() ? 1 : 0;
      open += one.complete() ? 0 : 1;
      bytes += one.bytes();
    }
    outcome.conflicts().forEach(this::conflict);
    for (String id : outcome.different()) {
      different++;
      System.err.println("session=" + id + " read back differs from what was written; skipped");
    }
    if (System.nanoTime() - progressNanos >= PROGRESS_NANOS) {
      progressNanos = System.nanoTime();
      System.out.println(
          "copied %d sessions, %d bytes of trees so far".formatted(complete + open, bytes));
    }
  }

  private void conflict(String id) {
    conflicts++;
    System.err.println(
        "session=" + id + " conflicts with another session in the database; skipped");
  }
}
