package sessiontree.bench;

import java.io.IOException;

/**
 * Time from SESSION_END to COMPLETE of small sessions whose other messages are acknowledged: one at
 * a time, and many at a time, where each connection begins its next session as soon as it can.
 */
final class Complete implements Lab.Workload {
  private static final int SESSIONS = 2_000;
  private static final int[] CONNECTIONS = {1, 50};
  private static final int MESSAGES = 2;
  private static final int ENTRIES = 50;

  @Override
  public void measure(Lab lab) throws IOException {
    Servers.Kind kind = Servers.Kind.SESSIONTREE;
    Frames frames = Frames.of(lab.shape().withEntries(ENTRIES), MESSAGES);
    try (Lab.Up up = lab.start(kind)) {
      Target target = up.targets.get(kind);
      for (int connections : CONNECTIONS) {
        String name = "complete, " + connections + " at once";
        int sessions = lab.scaled(connections == 1 ? SESSIONS / 4 : SESSIONS);
        Load load = new Load(frames, MESSAGES, sessions, connections, true);
        lab.warm(target, (warmed, prefix) -> load.run(warmed.port(), connections + prefix));
        for (int run = 0; run < lab.runs(); run++) {
          lab.table()
              .add(name, "one fsync, p50, µs", kind, Machine.syncMicros(lab.servers().folder()));
          Lab.Run took = lab.run(target, load, connections + "r" + run + "-");
          double p50 = Lab.micros(took.completions(), 0.5);
          double p99 = Lab.micros(took.completions(), 0.99);
          lab.table().add(name, "SESSION_END to COMPLETE, p50, µs", kind, p50);
          lab.table().add(name, "SESSION_END to COMPLETE, p99, µs", kind, p99);
          Lab.say("%s: p50 %.0f µs, p99 %.0f µs", name, p50, p99);
        }
      }
    }
  }
}
