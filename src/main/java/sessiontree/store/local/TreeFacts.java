package sessiontree.store.local;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import sessiontree.store.log.DamageException;
import sessiontree.store.log.Disk;
import sessiontree.store.log.DiskStreams;

/**
 * Facts of a session that its tree does not hold, in a file beside the tree if the session has
 * named writers or the tree is large. The record's components are its JSON members, in this order.
 *
 * @param lsn the LSN of the log record that ended the session; 0 in facts of earlier versions
 */
record TreeFacts(long lsn, long entries, Map<String, Long> writers) {
  /** Size up to which a tree's entries are counted, as it is read whole in any case. */
  static final int COUNTED_BYTES = 64 << 10;

  /** Reads trees without limits: their messages were limited when they were taken. */
  private static final JsonFactory TREES =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES) // the factory would keep the names
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private static final String LSN = "lsn";

  /** Initialized on first use, which is not during a start: it takes a tenth of a second. */
  private static final class Json {
    /** Equal facts have equal bytes. */
    private static final ObjectMapper MAPPER =
        new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
  }

  /** Returns whether the facts are written beside a tree of that size. */
  boolean areWritten(long treeBytes) {
    return !writers.isEmpty() || treeBytes > COUNTED_BYTES;
  }

  byte[] bytes() throws IOException {
    return Json.MAPPER.writeValueAsBytes(this);
  }

  /**
   * Reads the facts beside a tree; returns null if there are none.
   *
   * @throws DamageException if the facts are incomplete
   * @throws JsonProcessingException if the facts cannot be parsed
   */
  static TreeFacts read(Disk disk, Path tree) throws IOException {
    try (InputStream in = input(disk, tree)) {
      TreeFacts facts = Json.MAPPER.readValue(in, TreeFacts.class);
      if (facts == null || facts.writers == null || facts.writers.containsValue(null)) {
        throw new DamageException(tree, "the facts file is incomplete");
      }
      return facts;
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** Reads only the LSN; returns 0 if the tree has no facts, or they have no LSN. */
  static long lsn(Disk disk, Path tree) throws IOException {
    try (JsonParser facts = TREES.createParser(input(disk, tree))) {
      facts.nextToken();
      return LSN.equals(facts.nextFieldName()) ? facts.nextLongValue(0) : 0;
    } catch (NoSuchFileException | JsonProcessingException e) {
      return 0;
    }
  }

  private static InputStream input(Disk disk, Path tree) throws IOException {
    Disk.DiskFile file = disk.open(TreePath.facts(tree));
    return new DiskStreams.Input(file, file.size());
  }

  /** Returns the facts of a tree without a facts file, by counting its entries. */
  static TreeFacts count(InputStream tree) throws IOException {
    long objects = 0;
    try (JsonParser json = TREES.createParser(tree)) {
      int depth = 0;
      for (JsonToken token; (token = json.nextToken()) != null; ) {
        if (token.isStructStart()) {
          depth++;
          objects += depth == 3 ? 1 : 0; // levels: session, children, child
        } else if (token.isStructEnd()) {
          depth--;
        }
      }
    }
    return new TreeFacts(0, objects + 2, Map.of());
  }
}
