package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.event.ProblemException;
import sessiontree.metrics.Metrics;
import sessiontree.session.Message;
import sessiontree.session.Reply;
import sessiontree.session.Session;
import sessiontree.session.Sessions;
import sessiontree.store.SessionState.Phase;

/**
 * Damage to run files and trees: what is refused, and by which words. That to the log has a test of
 * its own.
 */
class LocalStoreDamageTest {
  private static final LocalStore.Options SMALL =
      new LocalStore.Options(
          2_000, 16 << 10, 4, Duration.ofMillis(1), Duration.ofMinutes(5), System::nanoTime);

  @TempDir Path folder;

  /** Of the session that {@link #spilled} made. */
  private int entries;

  @Test
  void runFile_cutAnywhere_stopsTheStartByName_andIsSoundAgainWhenRestored() throws Exception {
    Path run = spilled();
    byte[] sound = Files.readAllBytes(run);
    for (int size = 0; size < sound.length; size += 1 + size / 40) {
      Files.write(run, Arrays.copyOf(sound, size));
      assertRefused(run.getFileName().toString(), "cut to " + size);
    }
    Files.write(run, sound);
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      assertThat(store.state("a").entries()).isEqualTo(entries);
    }
  }

  @Test
  void runFile_withAFlippedByteInHeaderOrIndex_stopsTheStartByName() throws Exception {
    Path run = spilled();
    byte[] sound = Files.readAllBytes(run);
    int index = (int) ByteBuffer.wrap(sound).getLong(sound.length - RunFile.FOOTER_BYTES);
    for (int at = 0; at < sound.length; at++) {
      if (at < RunFile.HEADER_BYTES || at >= index) {
        byte[] flipped = sound.clone();
        flipped[at] ^= 0x40;
        Files.write(run, flipped);
        assertRefused(run.getFileName().toString(), "flipped at " + at);
      }
    }
  }

  @Test
  void fileOfAnotherFormat_stopsTheStart_andIsToldAsSuch() throws Exception {
    assertOtherFormatIsRefused(spilled(), RunFile.HEADER_BYTES - 4);
    try (var segments = Files.list(folder.resolve("log"))) {
      Path segment = segments.filter(Segment::isSegment).max(Path::compareTo).orElseThrow();
      assertOtherFormatIsRefused(segment, Segment.HEADER_BYTES - 8);
    }
  }

  private void assertOtherFormatIsRefused(Path file, int checksumAt) throws IOException {
    byte[] sound = Files.readAllBytes(file);
    byte[] other = sound.clone();
    other[FileHeader.FORMAT_BYTES - 1]++;
    ByteBuffer.wrap(other).putInt(checksumAt, Segment.crc(other, 0, checksumAt));
    Files.write(file, other);
    assertRefused(file.getFileName() + ": expected format sessiontree.", "of another format");
    Files.write(file, sound);
  }

  @Test
  void runFile_thatIsMissing_stopsTheStart() throws Exception {
    Files.delete(spilled());
    assertRefused("session a", "missing");
  }

  @Test
  void tree_cutOrEmpty_isNotServed() throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Session session = new Sessions(store, Integer.MAX_VALUE, new Metrics()).acquire("a");
      submit(session, "{'type':'SESSION_START','timestamp':1,'session_id':'a'}");
      submit(session, "{'type':'SESSION_END','timestamp':2,'session_id':'a'}");
      assertThat(store.state("a").phase()).isEqualTo(Phase.COMPLETE);
      Path tree = folder.resolve("sessions").resolve(TreePath.of("a"));
      byte[] sound = Files.readAllBytes(tree);
      for (int size = 0; size < sound.length; size++) {
        Files.write(tree, Arrays.copyOf(sound, size));
        assertThatThrownBy(() -> store.tree("a"))
            .as("cut to " + size)
            .isInstanceOf(DamageException.class)
            .hasMessageContaining("a.json");
      }
    }
  }

  /** A store with one session, part of which is in a run file only: returns that. */
  private Path spilled() throws Exception {
    try (LocalStore store = LocalStore.open(folder, SMALL, new Metrics())) {
      Session session = new Sessions(store, Integer.MAX_VALUE, new Metrics()).acquire("a");
      submit(session, "{'type':'SESSION_START','timestamp':1,'session_id':'a'}");
      entries = 1;
      while (entries < 61 || Files.exists(folder.resolve("log/0000000000000001.wal"))) {
        submit(session, "{'type':'EVENT','timestamp':" + entries++ + ",'name':'an event'}");
      }
    }
    try (var files = Files.list(folder.resolve("runs"))) {
      return files.min(Path::compareTo).orElseThrow();
    }
  }

  private static void submit(Session session, String entry) throws Exception {
    byte[] message = ("[" + entry.replace('\'', '"') + "]").getBytes(StandardCharsets.UTF_8);
    Batch batch = MessageParser.parse(message, 0, message.length, session.id());
    CompletableFuture<Long> stored = new CompletableFuture<>();
    session.submit(null, false, List.of(new Message(0, batch, null)), new Answer(stored));
    stored.get(1, TimeUnit.MINUTES);
  }

  private record Answer(CompletableFuture<Long> told) implements Reply {
    @Override
    public void stored(int messages, long entries, boolean complete) {
      told.complete(entries);
    }

    @Override
    public void refused(ProblemException problem) {
      told.completeExceptionally(problem);
    }

    @Override
    public void flush() {}
  }

  private void assertRefused(String name, String damage) {
    assertThatThrownBy(() -> LocalStore.open(folder, SMALL, new Metrics()).close())
        .as(damage)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(name);
  }
}
