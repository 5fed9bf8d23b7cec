package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import sessiontree.event.Batch;
import sessiontree.event.MessageParser;
import sessiontree.store.log.Disk;
import sessiontree.store.log.WriteAheadLog;

/** The worked example in the package's manual is what the log writes. */
class ManualTest {
  private static final Path MANUAL =
      Path.of("src/main/java/sessiontree/store/local/package-info.java");

  @TempDir Path directory;

  @Test
  void manualsExample_isWhatTheLogWrites() throws Exception {
    String message =
        "[{\"type\":\"SESSION_START\",\"timestamp\":1569972082,\"session_id\":\"a\"},"
            + "{\"type\":\"EVENT\",\"timestamp\":1569972083,\"name\":\"cart_loaded\"}]";
    byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
    Batch batch = MessageParser.parse(bytes, 0, bytes.length, "a");
    try (WriteAheadLog log = WriteAheadLog.of(Disk.real(), directory, 1 << 20)) {
      log.recover((lsn, body) -> true);
      log.add(
          new LogRecord(
              LogRecord.Type.APPEND,
              1,
              5000,
              "a",
              0,
              "w",
              1,
              batch.start(),
              null,
              batch.count(),
              batch.children()));
      log.commit();
    }
    String written =
        HexFormat.of().formatHex(Files.readAllBytes(directory.resolve("0000000000000001.wal")));
    assertThat(example()).isEqualTo(written);
  }

  /** The hexadecimal digits of the lines that begin with four of an offset and a colon. */
  private static String example() throws IOException {
    return Files.readAllLines(MANUAL).stream()
        .filter(line -> line.matches(" \\* {3}[0-9a-f]{4}: .*"))
        .map(line -> line.substring(10, Math.min(line.length(), 58)).replace(" ", ""))
        .collect(Collectors.joining());
  }
}
