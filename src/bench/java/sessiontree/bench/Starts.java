package sessiontree.bench;

import java.io.IOException;

/**
 * Time from exec to the first healthy response, on an empty store. Each server is started once
 * before, so that its files are in memory and run.sh has its class archive.
 */
final class Starts implements Lab.Workload {
  private static final int TIMES_A_RUN = 3;

  @Override
  public void measure(Lab lab) throws IOException {
    for (int i = -1; i < TIMES_A_RUN * lab.runs(); i++) {
      double script = seconds(lab, Servers.Kind.RUN_SCRIPT);
      double plain = seconds(lab, Servers.Kind.PLAIN);
      double sink = seconds(lab, Servers.Kind.MESSAGES);
      if (i >= 0) {
        add(lab.table(), "by run.sh, s", script, sink);
        add(lab.table(), "by java -jar, s", plain, sink);
        Lab.say("start: run.sh %.2f, java -jar %.2f, sink %.2f s", script, plain, sink);
      }
    }
  }

  private static void add(Table table, String figure, double own, double sink) {
    table.add("start", figure, Servers.Kind.SESSIONTREE, own);
    table.add("start", figure, Servers.Kind.MESSAGES, sink);
  }

  private static double seconds(Lab lab, Servers.Kind kind) throws IOException {
    try (Target target = lab.servers().start(kind)) {
      return target.startSeconds();
    }
  }
}
