package sessiontree.bench;

import java.io.IOException;
import java.util.Map;

/**
 * Sessions streamed to sessiontree and to the sinks, which all run at once and are measured in
 * turn.
 *
 * @param sessions number of sessions, {@code connections} of them at a time, each of {@code
 *     messages} messages of {@code entries} events
 * @param awaited whether each message waits for the ack of the one before; then latency is measured
 */
record Streamed(
    String name,
    int sessions,
    int connections,
    int messages,
    int entries,
    boolean awaited,
    Servers.Kind... kinds)
    implements Lab.Workload {

  @Override
  public void measure(Lab lab) throws IOException {
    int count = lab.scaled(sessions);
    int length = messages >= 1000 ? lab.scaled(messages) : messages;
    Load load =
        new Load(
            Frames.of(lab.shape().withEntries(entries), length),
            length,
            awaited ? sessions : Math.max(connections, count),
            connections,
            awaited);
    double events = (double) Math.max(connections, awaited ? sessions : count) * length * entries;
    try (Lab.Up up = lab.start(kinds)) {
      for (Target target : up.targets.values()) {
        lab.warm(target, (warmed, prefix) -> load.run(warmed.port(), prefix));
      }
      for (int run = 0; run < lab.runs(); run++) {
        for (Map.Entry<Servers.Kind, Target> target : up.targets.entrySet()) {
          if (awaited) {
            double micros = Machine.syncMicros(lab.servers().folder());
            lab.table().add(name, "one fsync, p50, µs", Servers.Kind.SESSIONTREE, micros);
          }
          target.getValue().forgetPeak();
          Lab.Run took = lab.run(target.getValue(), load, "r" + run + "-");
          add(lab.table(), target.getKey(), target.getValue(), took, events * took.times());
        }
      }
    }
    if (awaited) {
      double p50 = lab.table().median(name, "ack p50, µs", Servers.Kind.SESSIONTREE);
      double sync = lab.table().median(name, "one fsync, p50, µs", Servers.Kind.SESSIONTREE);
      for (Servers.Kind kind : kinds) {
        if (kind != Servers.Kind.SESSIONTREE) {
          double more = p50 - lab.table().median(name, "ack p50, µs", kind);
          String figure = "ack p50 beyond the " + kind.shown() + ", in fsyncs";
          lab.table().add(name, figure, Servers.Kind.SESSIONTREE, more / sync);
        }
      }
    }
  }

  private void add(Table table, Servers.Kind kind, Target target, Lab.Run took, double events) {
    if (awaited) {
      double p50 = Lab.micros(took.latencies(), 0.5);
      double p99 = Lab.micros(took.latencies(), 0.99);
      table.add(name, "ack p50, µs", kind, p50);
      table.add(name, "ack p99, µs", kind, p99);
      table.add(name, "p99 / p50", kind, p99 / p50);
    }
    table.add(name, "events a CPU-second", kind, events / took.cpuSeconds());
    table.add(name, "events a second", kind, events / took.seconds());
    table.add(name, "client's CPU / server's", kind, took.clientSeconds() / took.cpuSeconds());
    table.add(name, "resident at most, MB", kind, target.peakMegabytes());
    Lab.say(
        "%s, %s: %s events a CPU-second (%.2f CPU-seconds)",
        name, kind.shown(), Table.shown(events / took.cpuSeconds()), took.cpuSeconds());
  }
}
