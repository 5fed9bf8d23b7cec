package sessiontree.bench;

import java.io.IOException;
import java.time.Duration;

/** Memory of a server that does nothing, of open sessions, and of connections. */
final class Idle implements Lab.Workload {
  private static final String NAME = "idle";
  private static final int SESSIONS = 10_000;
  private static final int POSTING = 8;
  private static final Duration PAUSE = Duration.ofSeconds(1);
  private static final String EVENT =
      "{\"type\":\"EVENT\",\"timestamp\":1700000001,\"name\":\"view\"}";

  @Override
  public void measure(Lab lab) throws IOException {
    for (int run = 0; run < lab.runs(); run++) {
      for (Servers.Kind kind : new Servers.Kind[] {Servers.Kind.SESSIONTREE, Servers.Kind.FRAMES}) {
        try (Target target = lab.servers().start(kind)) {
          Target.sleep(PAUSE.toMillis());
          lab.table().add(NAME, "resident after start, MB", kind, target.residentMegabytes());
          connections(lab, kind, target);
        }
      }
      try (Target target = lab.servers().start(Servers.Kind.SESSIONTREE)) {
        sessions(lab, target);
      }
    }
  }

  /** Measures the heap of open sessions that have their start and one event each. */
  private static void sessions(Lab lab, Target target) throws IOException {
    int count = lab.scaled(SESSIONS);
    post(target, "w", 100);
    long before = target.heapBytes();
    post(target, "s", count);
    double bytes = (double) (target.heapBytes() - before) / count;
    lab.table().add(NAME, "heap of an open session, bytes", Servers.Kind.SESSIONTREE, bytes);
    Lab.say("idle: %.0f bytes an open session", bytes);
  }

  private static void post(Target target, String prefix, int count) throws IOException {
    Requests.send(
        target.port(),
        POSTING,
        count,
        number -> {
          String id = prefix + number;
          return Requests.post(
              "/sessions/" + id + "/events", "[" + Frames.startEntry(id) + "," + EVENT + "]");
        });
  }

  private static void connections(Lab lab, Servers.Kind kind, Target target) throws IOException {
    int count = Connections.count(lab, target);
    Steady.open(target.port(), "w", Math.min(100, count), false).close();
    target.awaitQuiet();
    long before = target.heapBytes();
    try (Steady steady = Steady.open(target.port(), "c", count, false)) {
      steady.rest(PAUSE);
      double bytes = (double) (target.heapBytes() - before) / count;
      lab.table().add(NAME, "connections", kind, count);
      lab.table().add(NAME, "heap of a connection, bytes", kind, bytes);
      lab.table().add(NAME, "resident with them, MB", kind, target.residentMegabytes());
      Lab.say("idle, %s: %.0f bytes a connection", kind.shown(), bytes);
    }
  }
}
