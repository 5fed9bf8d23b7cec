package sessiontree.metrics;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.DoubleSupplier;

/**
 * All metrics of the server, for Prometheus. A class that knows a number counts it here, or
 * registers a gauge that reads it. Safe for several threads; counting costs some nanoseconds.
 */
public final class Metrics {
  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final ExpositionFormats formats = ExpositionFormats.init();
  private final AtomicBoolean jvm = new AtomicBoolean();

  public final Counter messagesReceived =
      counter("messages_received", "Messages that clients sent, stored or not.");
  public final Counter messageBytesReceived =
      counter("message_bytes_received", "Bytes of the messages that clients sent, stored or not.");
  public final Counter messagesStored = counter("messages_stored", "Messages that were stored.");
  public final Counter messagesDuplicate =
      counter(
          "messages_duplicate",
          "Messages that were not stored because their number was already stored.");
  public final Counter messagesRefused =
      counter("messages_refused", "Messages that were refused, by the error's code.", "code");

  public final Counter entriesReceived =
      counter("entries_received", "Entries of the messages that could be parsed.");
  public final Counter entriesStored = counter("entries_stored", "Entries that were stored.");
  public final Counter entriesDuplicate =
      counter(
          "entries_duplicate",
          "Entries of messages that were not stored because their number was already stored.");
  public final Counter entriesRefused =
      counter(
          "entries_refused",
          "Entries of messages that could be parsed and were refused, by the error's code.",
          "code");

  public final Counter sessionsStarted =
      counter("sessions_started", "Sessions whose SESSION_START was stored.");
  public final Counter sessionsCompleted =
      counter("sessions_completed", "Sessions that were completed, abandoned ones included.");
  public final Counter sessionsAbandoned =
      counter("sessions_abandoned", "Sessions that were ended by --abandon-after.");
  public final Counter sessionsDeleted =
      counter("sessions_deleted", "Sessions that were deleted, expired ones included.");
  public final Counter sessionsExpired =
      counter("sessions_expired", "Sessions that were deleted by --delete-after.");

  public final Histogram requestSeconds =
      histogram(
          "request_seconds",
          "Seconds from a request's head to the end of its response, by route and class of status.",
          "route",
          "method",
          "status");

  /** The class is poll while clients wait for a tree, else client or server: who is at fault. */
  public final Counter requestsRefused =
      counter(
          "requests_refused",
          "Requests and upgrades that were refused, by the error's code; the class poll is of those"
              + " that ask for a tree before it is there, client and server of faults.",
          "class",
          "code");

  public final Counter connectionsDropped =
      counter("connections_dropped", "Connections that the server closed, by reason.", "reason");

  public final Histogram ackSeconds =
      histogram(
          "ack_seconds",
          "Seconds from the receipt of messages to their ack, one for each group of messages.");
  public final Histogram forceSeconds =
      histogram("force_seconds", "Seconds that a force of a group of messages to the log took.");
  public final Histogram finishSeconds =
      histogram(
          "finish_seconds", "Seconds that the sorting and publishing of an ended session took.");
  public final Counter spills =
      counter("spills", "Run files that were written to make room in memory or in the log.");
  public final Counter spilledBytes =
      counter("spilled_bytes", "Bytes of events that were written to run files.");

  /** Registers a counter; those that every server has are registered above. */
  public Counter counter(String name, String help, String... labels) {
    return Counter.builder()
        .name("sessiontree_" + name + "_total")
        .help(help)
        .labelNames(labels)
        .withoutExemplars()
        .register(registry);
  }

  private Histogram histogram(String name, String help, String... labels) {
    return Histogram.builder()
        .name("sessiontree_" + name)
        .help(help)
        .labelNames(labels)
        .classicOnly()
        .withoutExemplars()
        .classicExponentialUpperBounds(0.0001, 2, 18) // to 13 seconds
        .register(registry);
  }

  /** Registers a gauge whose value is read at each scrape. */
  public void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name("sessiontree_" + name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  /** Registers the build info: a gauge that is always 1, with version and commit as labels. */
  public void buildInfo(String version, String commit) {
    GaugeWithCallback.builder()
        .name("sessiontree_build_info")
        .help("The version and the commit of the server; the value is 1.")
        .labelNames("version", "commit")
        .callback(callback -> callback.call(1, version, commit))
        .register(registry);
  }

  /** Returns the Content-Type of what {@link #write} writes. */
  public String contentType(boolean openMetrics) {
    return writer(openMetrics).getContentType();
  }

  /**
   * Writes the current values of all metrics, including those of the JVM.
   *
   * @param openMetrics whether to write OpenMetrics; otherwise Prometheus's text format
   */
  public void write(OutputStream out, boolean openMetrics) throws IOException {
    if (jvm.compareAndSet(false, true)) { // not at the start, as it would slow that down
      JvmMetrics.builder().register(registry);
    }
    writer(openMetrics).write(out, registry.scrape());
  }

  /** Returns a text writer; the library might choose Protobuf, whose classes are not included. */
  private ExpositionFormatWriter writer(boolean openMetrics) {
    return openMetrics
        ? formats.getOpenMetricsTextFormatWriter()
        : formats.getPrometheusTextFormatWriter();
  }
}
