package sessiontree.bench;

import java.io.IOException;
import java.time.Duration;

/** Workload of GETs of one session of 100 events, which 16 connections repeat. */
final class Reads implements Lab.Workload {
  private static final int CONNECTIONS = 16;
  private static final int SECONDS = 5;

  @Override
  public void measure(Lab lab) throws IOException {
    Duration time = Duration.ofSeconds(lab.scaled(SECONDS));
    Frames frames = Frames.of(lab.shape().withEntries(5), 20);
    try (Lab.Up up = lab.start(Servers.Kind.SESSIONTREE)) {
      Target target = up.targets.get(Servers.Kind.SESSIONTREE);
      new Load(frames, 20, 1, 1, false).run(target.port(), "read");
      String request = Requests.get("/sessions/read0");
      lab.warm(
          target,
          (warmed, prefix) ->
              Requests.repeat(warmed.port(), CONNECTIONS, Duration.ofSeconds(1), request));
      for (int run = 0; run < lab.runs(); run++) {
        double before = target.cpuSeconds();
        long began = System.nanoTime();
        long requests = Requests.repeat(target.port(), CONNECTIONS, time, request);
        double seconds = (System.nanoTime() - began) / 1e9;
        double cpu = target.cpuSeconds() - before;
        Servers.Kind kind = Servers.Kind.SESSIONTREE;
        lab.table().add("get", "requests a CPU-second", kind, requests / cpu);
        lab.table().add("get", "requests a second", kind, requests / seconds);
        Lab.say("get: %s requests a CPU-second", Table.shown(requests / cpu));
      }
    }
  }
}
