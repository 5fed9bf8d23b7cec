package sessiontree;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * PostgreSQL servers on loopback: a primary, and standbys that its commits wait for. If root runs
 * the tests, the servers run as the user postgres, which Debian's package creates. Without
 * PostgreSQL the tests are skipped, or fail if {@code SESSIONTREE_ALL_PROGRAMS=1} is set.
 */
public final class PostgresServers implements AutoCloseable {
  private static final Path DEBIAN = Path.of("/usr/lib/postgresql");
  private static final long DEADLINE_SECONDS = 60;
  private static PostgresServers shared;

  private final Path bin;
  private final Path folder;
  private final List<Integer> ports = new ArrayList<>();
  private final Map<Path, String> databases = new HashMap<>(); // by folder; guarded by this
  private int primary;

  private PostgresServers(Path bin, Path folder) {
    this.bin = bin;
    this.folder = folder;
  }

  /** Returns a server without standbys, shared by all tests of this process until it ends. */
  public static synchronized PostgresServers shared() throws Exception {
    if (shared == null) {
      shared = start(0);
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    try {
                      shared.close();
                    } catch (Exception e) {
                      System.err.println("PostgreSQL was not stopped: " + e);
                    }
                  }));
    }
    return shared;
  }

  /** Starts a primary and the given number of standbys. Each commit waits for any one standby. */
  public static PostgresServers start(int standbys) throws Exception {
    Path bin = bin();
    Path folder = Files.createTempDirectory("sessiontree-postgres");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    PostgresServers servers = new PostgresServers(bin, folder);
    try {
      servers.startAll(standbys);
      return servers;
    } catch (Exception | Error e) {
      servers.close();
      throw e;
    }
  }

  private static Path bin() throws IOException {
    if (Files.isDirectory(DEBIAN)) {
      try (Stream<Path> versions = Files.list(DEBIAN)) {
        Path newest =
            versions
                .map(version -> version.resolve("bin"))
                .filter(bin -> Files.isExecutable(bin.resolve("initdb")))
                .max(Comparator.comparing(Path::toString))
                .orElse(null);
        if (newest != null) {
          return newest;
        }
      }
    }
    throw Programs.missing("PostgreSQL's initdb", "apt-get install postgresql");
  }

  private void startAll(int standbys) throws Exception {
    if (isRoot()) {
      run(List.of("chown", "postgres:postgres", folder.toString()));
    }
    for (int i = 0; i <= standbys; i++) {
      try (ServerSocket free = new ServerSocket(0)) {
        ports.add(free.getLocalPort());
      }
    }
    as("initdb", "-D", data(0), "-A", "trust", "-U", "app", "--locale=C", "-E", "UTF8");
    configure(
        0,
        "listen_addresses='127.0.0.1'\nport=%d\nunix_socket_directories='%s'\nshared_buffers=64MB\n"
                .formatted(ports.get(0), folder)
            + "wal_level=replica\nmax_connections=100\nhot_standby=on\nwal_receiver_timeout=5s\n");
    restart(0);
    for (int i = 1; i <= standbys; i++) {
      as(
          "pg_basebackup -D %s -h 127.0.0.1 -p %d -U app -R -C -S s%d -X stream -c fast"
              .formatted(data(i), ports.get(0), i)
              .split(" "));
      configure(
          i,
          "port=%d\nprimary_conninfo='host=127.0.0.1 port=%d user=app application_name=s%d'\n"
              .formatted(ports.get(i), ports.get(0), i));
      restart(i);
    }
    if (standbys > 0) {
      waitForStandbys(standbys);
    }
  }

  /** Makes commits wait for any one standby. Returns when this number of standbys is streaming. */
  private void waitForStandbys(int standbys) throws Exception {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < ports.size(); i++) {
      if (i != primary) {
        names.add("s" + i);
      }
    }
    sql(
        primary,
        "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (" + String.join(",", names) + ")'");
    sql(primary, "SELECT pg_reload_conf()");
    Await.until(
        "standbys stream",
        () ->
            sql(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'")
                .equals("" + standbys));
  }

  private String data(int server) {
    return folder.resolve("data" + server).toString();
  }

  private void configure(int server, String lines) throws IOException {
    Files.writeString( // the last line of a setting counts; root may write files of postgres
        Path.of(data(server), "postgresql.auto.conf"), lines, StandardOpenOption.APPEND);
  }

  /** Starts a server that is down. */
  public void restart(int server) throws Exception {
    String log = folder.resolve("log" + server).toString();
    as("pg_ctl", "-D", data(server), "-w", "-l", log, "start");
  }

  /** Stops a server in order, with a fast shutdown. */
  public void stop(int server) throws Exception {
    as("pg_ctl", "-D", data(server), "-m", "fast", "-w", "stop");
  }

  /** Kills a server. Unlike in a power failure, the page cache of the kernel survives. */
  public void kill(int server) throws Exception {
    List<ProcessHandle> all = processes(server);
    all.forEach(ProcessHandle::destroyForcibly);
    for (ProcessHandle one : all) {
      one.onExit().get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }
  }

  /** Suspends a server until {@link #resume}. */
  public void suspend(int server) throws Exception {
    signal(server, "STOP");
  }

  public void resume(int server) throws Exception {
    signal(server, "CONT");
  }

  private void signal(int server, String signal) throws Exception {
    List<String> command = new ArrayList<>(List.of("kill", "-" + signal));
    processes(server).forEach(one -> command.add("" + one.pid()));
    run(command);
  }

  /** Returns the postmaster of a server and its descendants, all of which this object started. */
  private List<ProcessHandle> processes(int server) throws IOException {
    String pid = Files.readAllLines(Path.of(data(server), "postmaster.pid")).get(0);
    ProcessHandle postmaster = ProcessHandle.of(Long.parseLong(pid.trim())).orElseThrow();
    List<ProcessHandle> all = new ArrayList<>(List.of(postmaster));
    all.addAll(postmaster.descendants().toList());
    return all;
  }

  /** Promotes the standby that has the most WAL, and returns it. The others do not follow it. */
  public int promote() throws Exception {
    int best = -1;
    long most = -1;
    for (int i = 0; i < ports.size(); i++) {
      if (i != primary) {
        long has =
            Long.parseLong(
                sql(i, "SELECT (pg_last_wal_receive_lsn() - '0/0'::pg_lsn)::bigint::text"));
        best = has > most ? i : best;
        most = Math.max(most, has);
      }
    }
    sql(best, "SELECT pg_promote()");
    primary = best;
    sql(primary, "ALTER SYSTEM SET synchronous_standby_names = ''");
    sql(primary, "SELECT pg_reload_conf()");
    return best;
  }

  public int primary() {
    return primary;
  }

  public int port(int server) {
    return ports.get(server);
  }

  /** Runs a statement and returns the first column of the first row, or an empty string. */
  public String sql(int server, String sql) throws SQLException {
    return sql(server, "postgres", sql);
  }

  public String sql(int server, String database, String sql) throws SQLException {
    String url = "jdbc:postgresql://127.0.0.1:" + ports.get(server) + "/" + database;
    try (Connection connection = DriverManager.getConnection(url + "?user=app&socketTimeout=20");
        Statement statement = connection.createStatement()) {
      if (!statement.execute(sql)) {
        return "";
      }
      ResultSet row = statement.getResultSet();
      String text = row.next() ? row.getString(1) : null;
      return text == null ? "" : text;
    }
  }

  /** Creates an empty database, dropping any of that name. Returns its URI for {@code --store}. */
  public String database(String name) throws SQLException {
    sql(primary, "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
    sql(primary, "CREATE DATABASE " + name);
    return uri(name);
  }

  /** Returns the URI of the database that stands for a folder, and creates it on the first call. */
  synchronized String databaseOf(Path folder) throws SQLException {
    String name = databases.get(folder);
    if (name == null) {
      name = "store" + databases.size();
      databases.put(folder, name);
      database(name);
    }
    return uri(name);
  }

  public String uri(String database) {
    String hosts = ports.stream().map(port -> "127.0.0.1:" + port).collect(Collectors.joining(","));
    return "postgresql://app@" + hosts + "/" + database;
  }

  private void as(String... command) throws Exception {
    List<String> all = new ArrayList<>();
    if (isRoot()) {
      all.addAll(
          List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"));
    }
    all.add(bin.resolve(command[0]).toString());
    all.addAll(List.of(command).subList(1, command.length));
    run(all);
  }

  private static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  private void run(List<String> command) throws Exception {
    Path output = Files.createTempFile("postgres", ".log");
    Process process =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    boolean ended = process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS);
    String said = Files.readString(output, StandardCharsets.UTF_8);
    Files.delete(output);
    if (!ended || process.exitValue() != 0) {
      process.destroyForcibly();
      throw new AssertionError(command + ": " + said);
    }
  }

  @Override
  public void close() throws Exception {
    for (int i = 0; i < ports.size(); i++) {
      if (Files.exists(Path.of(data(i), "postmaster.pid"))) {
        try {
          kill(i);
        } catch (Exception e) { // already killed
          continue;
        }
      }
    }
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    }
  }
}
