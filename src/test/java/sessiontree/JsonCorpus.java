package sessiontree;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/**
 * JSON documents that the server accepts, trailing commas included, and malformed ones. The head of
 * {@code json-corpus.txt} explains its format.
 */
public final class JsonCorpus {
  private static final String RESOURCE = "/json-corpus.txt";

  private JsonCorpus() {}

  /**
   * One document.
   *
   * @param text its line in the file, with all escapes
   */
  public record Document(boolean wellFormed, String text, byte[] bytes) {
    @Override
    public String toString() {
      return text;
    }
  }

  public static Stream<Document> wellFormed() {
    return documents().stream().filter(Document::wellFormed);
  }

  /** Returns the malformed documents, some of which are not UTF-8 either. */
  public static Stream<Document> malformed() {
    return documents().stream().filter(document -> !document.wellFormed());
  }

  public static List<Document> documents() {
    try (InputStream in = JsonCorpus.class.getResourceAsStream(RESOURCE)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#"))
          .map(JsonCorpus::document)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Document document(String line) {
    boolean wellFormed = line.startsWith("y ");
    if (!wellFormed && !line.startsWith("n ")) {
      throw new IllegalStateException(RESOURCE + ": a line begins with y or n; got " + line);
    }
    String text = line.substring(2);
    return new Document(wellFormed, line, unescaped(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static byte[] unescaped(byte[] text) {
    var bytes = new ByteArrayOutputStream();
    for (int i = 0; i < text.length; i++) {
      if (text[i] == '\\' && i + 3 < text.length && text[i + 1] == 'x') {
        bytes.write(Integer.parseInt(new String(text, i + 2, 2, StandardCharsets.US_ASCII), 16));
        i += 3;
      } else {
        bytes.write(text[i]);
      }
    }
    return bytes.toByteArray();
  }
}
