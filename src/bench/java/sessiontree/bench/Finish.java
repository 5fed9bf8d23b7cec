package sessiontree.bench;

import java.io.IOException;

/** Time from SESSION_END to COMPLETE of a large session whose other messages are acknowledged. */
final class Finish implements Lab.Workload {
  private static final int MESSAGES = 1_000;
  private static final int ENTRIES = 1_000;

  @Override
  public void measure(Lab lab) throws IOException {
    measure(lab, "finish, shuffled", false);
    measure(lab, "finish, in order", true);
  }

  private void measure(Lab lab, String name, boolean inOrder) throws IOException {
    int messages = lab.scaled(MESSAGES);
    Frames frames = Frames.of(lab.shape().withEntries(ENTRIES).ordered(inOrder), messages);
    Load load = new Load(frames, messages, 1, 1, false);
    try (Lab.Up up = lab.start(Servers.Kind.SESSIONTREE)) {
      Target target = up.targets.get(Servers.Kind.SESSIONTREE);
      lab.warm(target, (warmed, prefix) -> load.run(warmed.port(), prefix));
      for (int run = 0; run < lab.runs(); run++) {
        double[] cpu = new double[1];
        Load.Result result =
            load.run(
                target.port(),
                "r" + run + "-",
                () -> {
                  target.awaitQuiet();
                  cpu[0] = target.cpuSeconds();
                });
        double seconds = result.completions()[0] / 1e9;
        target.awaitQuiet();
        Servers.Kind kind = Servers.Kind.SESSIONTREE;
        lab.table().add(name, "CPU-seconds", kind, target.cpuSeconds() - cpu[0]);
        lab.table().add(name, "seconds to COMPLETE", kind, seconds);
        Lab.say("%s: %.2f CPU-seconds, %.3f s", name, target.cpuSeconds() - cpu[0], seconds);
      }
    }
  }
}
