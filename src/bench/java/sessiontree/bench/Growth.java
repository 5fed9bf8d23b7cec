package sessiontree.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Cost of an event in small and large sessions, and of a session among few and many others. */
final class Growth implements Lab.Workload {
  private static final String NAME = "growth";
  private static final Servers.Kind KIND = Servers.Kind.SESSIONTREE;
  private static final int CONNECTIONS = 4;
  private static final int ENTRIES = 100; // in a message, whatever the session's size
  private static final int[] SESSION_EVENTS = {1_000, 10_000, 100_000, 1_000_000, 10_000_000};

  private static final int SESSIONS = 1_000; // in each measurement, of 20 messages of 5 events
  private static final int REQUESTS = 16;

  @Override
  public void measure(Lab lab) throws IOException {
    events(lab);
    sessions(lab);
  }

  private static void events(Lab lab) throws IOException {
    List<Load> loads = new ArrayList<>();
    Set<String> figures = new LinkedHashSet<>();
    List<Integer> sizes = new ArrayList<>();
    for (int size : SESSION_EVENTS) {
      if (size <= lab.sessionEvents()) {
        int events = Math.max(ENTRIES, lab.scaled(size));
        int messages = events / ENTRIES;
        Frames frames = Frames.of(lab.shape().withEntries(ENTRIES), messages);
        int sessions = Math.max(1, lab.scaled(1_000_000) / events);
        loads.add(new Load(frames, messages, sessions, CONNECTIONS, false));
        sizes.add(sessions * messages * ENTRIES);
      }
    }
    try (Lab.Up up = lab.start(KIND)) {
      Target target = up.targets.get(KIND);
      lab.warm(
          target,
          (warmed, prefix) -> {
            for (int i = 0; i < loads.size(); i++) {
              loads.get(i).run(warmed.port(), prefix + i + "-");
            }
          });
      for (int run = 0; run < lab.runs(); run++) {
        for (int i = 0; i < loads.size(); i++) {
          Lab.Run took = lab.run(target, loads.get(i), "r" + run + "-" + i + "-");
          double micros = took.cpuSeconds() * 1e6 / took.times() / sizes.get(i);
          String figure = "CPU an event, sessions of " + number(SESSION_EVENTS[i]) + ", µs";
          lab.table().add(NAME, figure, KIND, micros);
          figures.add(figure);
          Lab.say("growth: %s %.3f", figure, micros);
        }
      }
    }
    compare(lab.table(), "CPU an event, dearest / cheapest", figures);
  }

  /**
   * Two servers take turns: one that stores what the warm-up left, and one with many more. Nothing
   * is deleted, see {@link Servers#clean}.
   */
  private static void sessions(Lab lab) throws IOException {
    int sessions = lab.scaled(SESSIONS);
    Load load = new Load(Frames.of(lab.shape().withEntries(5), 20), 20, sessions, 50, false);
    Map<String, Target> targets = new LinkedHashMap<>();
    try {
      for (int more : new int[] {0, lab.storedSessions()}) {
        Target target = lab.servers().start(KIND);
        String beside = more == 0 ? "" : ", with " + number(more) + " more stored";
        targets.put("CPU a session of 100 events" + beside + ", µs", target);
        lab.warm(target, (warmed, prefix) -> load.run(warmed.port(), prefix));
        fill(target, more == 0 ? 0 : lab.scaled(more));
        target.awaitQuiet();
      }
      for (int run = 0; run < lab.runs(); run++) {
        for (Map.Entry<String, Target> one : targets.entrySet()) {
          Lab.Run took = lab.run(one.getValue(), load, "r" + run + "-");
          double micros = took.cpuSeconds() * 1e6 / took.times() / sessions;
          lab.table().add(NAME, one.getKey(), KIND, micros);
          Lab.say("growth: %s %.0f", one.getKey(), micros);
        }
      }
    } finally {
      targets.values().forEach(Target::close);
    }
    compare(lab.table(), "CPU a session, dearest / cheapest", targets.keySet());
  }

  private static void compare(Table table, String name, Set<String> figures) {
    DoubleSummaryStatistics all =
        figures.stream()
            .mapToDouble(figure -> table.median(NAME, figure, KIND))
            .summaryStatistics();
    table.add(NAME, name, KIND, all.getMax() / all.getMin());
  }

  private static void fill(Target target, int count) throws IOException {
    Requests.send(
        target.port(),
        REQUESTS,
        count,
        number -> {
          String id = "f" + number;
          String body = "[" + Frames.startEntry(id) + "," + Frames.endEntry(id) + "]";
          return Requests.post("/sessions/" + id + "/events", body);
        });
  }

  private static String number(int number) {
    return String.format(Locale.ROOT, "%,d", number);
  }
}
