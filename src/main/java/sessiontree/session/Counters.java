package sessiontree.session;

import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sessiontree.event.Batch;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;

/** Counts a session's messages and entries, and logs the refused ones. */
final class Counters {
  private static final Logger LOG = LoggerFactory.getLogger(Counters.class);

  private final String id;
  private final Metrics metrics;

  Counters(String id, Metrics metrics) {
    this.id = id;
    this.metrics = metrics;
  }

  void received(List<Message> messages) {
    long read = 0;
    for (Message message : messages) {
      read += entries(message.batch());
    }
    metrics.messagesReceived.inc(messages.size());
    metrics.entriesReceived.inc(read);
  }

  /** Counts a message of which nothing is to be stored. */
  void unstored(Batch batch, boolean known) {
    if (known) {
      metrics.messagesDuplicate.inc();
      metrics.entriesDuplicate.inc(entries(batch));
    } else { // a repeated SESSION_START, and nothing else
      metrics.messagesStored.inc();
    }
  }

  void refused(int messages, Batch batch, ProblemException problem) {
    String code = problem.problem().code();
    LOG.debug("session={} messages refused count={} code={}", id, messages, code);
    metrics.messagesRefused.labelValues(code).inc(messages);
    metrics.entriesRefused.labelValues(code).inc(entries(batch));
  }

  void stored(int messages, int entries, long sinceNanos) {
    metrics.messagesStored.inc(messages);
    metrics.entriesStored.inc(entries);
    metrics.ackSeconds.observe((System.nanoTime() - sinceNanos) / 1e9);
  }

  void deleted() {
    metrics.sessionsDeleted.inc();
    LOG.info("session={} deleted", id);
  }

  private static int entries(Batch batch) {
    return batch == null ? 0 : batch.entries();
  }
}
