package sessiontree.event;

import static sessiontree.event.MessageParser.MAX_DEPTH;
import static sessiontree.event.MessageParser.MAX_NUMBER_LENGTH;
import static sessiontree.event.Problem.ENTRY_AFTER_END;
import static sessiontree.event.Problem.INVALID_ENTRY;
import static sessiontree.event.Problem.INVALID_JSON;
import static sessiontree.event.Problem.INVALID_MESSAGE;
import static sessiontree.event.Problem.SESSION_ID_MISMATCH;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * Parses any message with Jackson, and finds what is wrong with it. Not safe for several threads:
 * make one for each message.
 */
final class JacksonParser {
  /**
   * Builds one factory for each message, so that the memory that parsing takes is freed with it: a
   * factory keeps thousands of member names that its parsers have read, of any length, and a
   * recycler pool keeps buffers that have grown. Never changed, and so safe for several threads.
   */
  private static final JsonFactoryBuilder FACTORY_OF_ONE_MESSAGE =
      new JsonFactoryBuilder()
          .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
          .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
          // A message's size limit bounds its strings; this class checks the length of numbers.
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build());

  private static final byte[] NAME = ascii(",\"name\":");

  private final byte[] message;
  private final int offset;
  private final String sessionId;
  private final JsonParser json;

  // The batch read so far.
  private final byte[] children;
  private int size;
  private int count;
  private Batch.Bound start;
  private int startIndex = -1;
  private int secondStartIndex = -1;
  private Batch.Bound end;

  // The entry being read: its index, and its known members as spans of the message.
  private int index;
  private final Set<String> names = new HashSet<>();
  private String type;
  private String entrySessionId;
  private int timestampFrom;
  private int timestampTo;
  private int nameFrom;
  private int nameTo;

  // The additional members of that entry as they will be in the tree, each after a comma.
  private byte[] members = new byte[256];
  private int membersSize;

  private JacksonParser(JsonParser json, byte[] message, int offset, int length, String sessionId) {
    this.json = json;
    this.message = message;
    this.offset = offset;
    this.sessionId = sessionId;
    this.children = new byte[length]; // no child, its header included, is longer than its entry
  }

  /** Does what {@link MessageParser#parse} does. */
  static Batch parse(byte[] bytes, int offset, int length, String sessionId)
      throws ProblemException {
    int from = offset;
    int to = offset + length;
    if (startsWithByteOrderMark(bytes, from, to)) { // some editors write one (RFC 8259, 8.1)
      from += 3;
      if (startsWithByteOrderMark(bytes, from, to)) { // Jackson would skip it
        throw new ProblemException(INVALID_JSON, "the message begins with two byte order marks");
      }
    }
    for (int i = from; i < Math.min(to, from + 4); i++) {
      if (bytes[i] == 0) { // Jackson would guess UTF-16 or UTF-32
        throw new ProblemException(
            INVALID_JSON, "the message is not UTF-8 JSON: byte " + (i - offset) + " is 0");
      }
    }
    JsonFactory factory = FACTORY_OF_ONE_MESSAGE.build();
    try (JsonParser json = factory.createParser(bytes, from, to - from)) {
      return new JacksonParser(json, bytes, from, to - from, sessionId).message();
    } catch (StreamConstraintsException e) {
      throw new ProblemException(
          INVALID_JSON, "the message is nested deeper than " + MAX_DEPTH + " levels");
    } catch (JsonParseException e) {
      throw new ProblemException(INVALID_JSON, detail(e));
    } catch (IOException e) {
      throw new ProblemException(INVALID_JSON, "the message is not JSON");
    }
  }

  private static boolean startsWithByteOrderMark(byte[] bytes, int from, int to) {
    return to - from >= 3
        && bytes[from] == (byte) 0xef
        && bytes[from + 1] == (byte) 0xbb
        && bytes[from + 2] == (byte) 0xbf;
  }

  /** Returns where and why the message is wrong: Jackson's words, but none about its settings. */
  private static String detail(JsonParseException e) {
    String what = e.getOriginalMessage().replaceAll("[^ -~]", "?");
    what = what.split("[:(, ]*(enable |maybe |\\(Feature|Feature|\\[Source|\\(start marker)", 2)[0];
    String where = "byte " + Math.max(0, e.getLocation().getByteOffset());
    return where + ": " + (what.length() > 200 ? what.substring(0, 200) + "..." : what);
  }

  private Batch message() throws IOException, ProblemException {
    JsonToken first = json.nextToken();
    if (first == null) {
      throw new ProblemException(INVALID_JSON, "the message is empty");
    }
    if (first != JsonToken.START_ARRAY) {
      throw new ProblemException(INVALID_MESSAGE, "", "a message is an array of entries");
    }
    for (index = 0; json.nextToken() != JsonToken.END_ARRAY; index++) {
      if (end != null) {
        throw new ProblemException(ENTRY_AFTER_END, entry(), "nothing comes after SESSION_END");
      }
      if (!json.hasToken(JsonToken.START_OBJECT)) {
        throw new ProblemException(INVALID_ENTRY, entry(), "an entry is an object");
      }
      entryMembers();
      finishEntry();
    }
    if (json.nextToken() != null) {
      throw new ProblemException(INVALID_JSON, "the message has data after its array");
    }
    if (index == 0) {
      throw new ProblemException(INVALID_MESSAGE, "", "a message holds one or more entries");
    }
    return new Batch(
        Arrays.copyOf(children, size), count, start, startIndex, secondStartIndex, end);
  }

  private void entryMembers() throws IOException, ProblemException {
    names.clear();
    type = null;
    entrySessionId = null;
    timestampFrom = timestampTo = nameFrom = nameTo = -1;
    membersSize = 0;
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String name = json.currentName();
      int memberFrom = position();
      if (!names.add(name)) {
        throw new ProblemException(INVALID_ENTRY, member(name), "the member is named twice");
      }
      JsonToken value = json.nextToken();
      switch (name) {
        case "type" -> type = text(value, name);
        case "session_id" -> entrySessionId = text(value, name);
        case "timestamp" -> {
          if (!value.isNumeric()) {
            throw new ProblemException(
                INVALID_ENTRY, member(name), "a timestamp is a number of seconds");
          }
          timestampFrom = position();
          timestampTo = scalarEnd(timestampFrom, value);
        }
        case "name" -> { // checked once the type is known: only an EVENT's has rules
          nameFrom = nameTo = position();
          if (value == JsonToken.VALUE_STRING) {
            nameTo = scalarEnd(nameFrom, value);
          } else {
            int kept = membersSize;
            copyValue(value); // to check its limits
            membersSize = kept;
          }
        }
        default -> {
          append(',');
          append(message, memberFrom, stringEnd(memberFrom));
          append(':');
          copyValue(value);
        }
      }
    }
  }

  private String text(JsonToken value, String name) throws IOException, ProblemException {
    if (value != JsonToken.VALUE_STRING) {
      throw new ProblemException(INVALID_ENTRY, member(name), "the member is a string");
    }
    return json.getText();
  }

  private void finishEntry() throws ProblemException {
    if (type == null) {
      throw missing("type");
    }
    boolean event = type.equals("EVENT");
    if (!event && !type.equals("SESSION_START") && !type.equals("SESSION_END")) {
      throw new ProblemException(
          INVALID_ENTRY,
          member("type"),
          "a type is SESSION_START, EVENT or SESSION_END; got " + SessionId.shown(type));
    }
    if (timestampFrom < 0) {
      throw missing("timestamp");
    }
    long key = key();
    if (entrySessionId == null ? !event : !entrySessionId.equals(sessionId)) {
      if (entrySessionId == null) {
        throw missing("session_id");
      }
      throw new ProblemException(
          SESSION_ID_MISMATCH,
          member("session_id"),
          "the message was sent to session "
              + sessionId
              + "; the entry names "
              + SessionId.shown(entrySessionId));
    }
    if (event) {
      finishEvent(key);
    } else if (type.equals("SESSION_END")) {
      end = bound(key);
    } else if (start == null) {
      start = bound(key);
      startIndex = index;
    } else if (start.key() != key && secondStartIndex < 0) {
      secondStartIndex = index;
    }
  }

  private void finishEvent(long key) throws ProblemException {
    if (nameFrom < 0) {
      throw missing("name");
    }
    if (nameTo - nameFrom <= 2) { // not a string, or an empty one
      throw new ProblemException(INVALID_ENTRY, member("name"), "a name is a non-empty string");
    }
    int length =
        (timestampTo - timestampFrom) + NAME.length + (nameTo - nameFrom) + membersSize + 1;
    Children.putHeader(children, size, key, length);
    size += Children.HEADER_BYTES;
    put(message, timestampFrom, timestampTo);
    put(NAME, 0, NAME.length);
    put(message, nameFrom, nameTo);
    put(members, 0, membersSize);
    children[size++] = '}';
    count++;
  }

  private long key() throws ProblemException {
    long key = Timestamp.nanos(message, timestampFrom, timestampTo);
    if (key >= 0) {
      return key;
    }
    throw new ProblemException(
        INVALID_ENTRY, member("timestamp"), Timestamp.problem(key, SessionId.shown(timestamp())));
  }

  private Batch.Bound bound(long key) {
    return new Batch.Bound(key, timestamp());
  }

  private String timestamp() {
    return new String(
        message, timestampFrom, timestampTo - timestampFrom, StandardCharsets.US_ASCII);
  }

  /**
   * Copies the value that the parser is at, with everything in it, to the members. Recursion is
   * bounded by {@link MessageParser#MAX_DEPTH}.
   */
  private void copyValue(JsonToken value) throws IOException, ProblemException {
    switch (value) {
      case START_OBJECT -> {
        append('{');
        for (boolean first = true; json.nextToken() != JsonToken.END_OBJECT; first = false) {
          if (!first) {
            append(',');
          }
          int from = position();
          append(message, from, stringEnd(from));
          append(':');
          copyValue(json.nextToken());
        }
        append('}');
      }
      case START_ARRAY -> {
        append('[');
        boolean first = true;
        for (JsonToken element;
            (element = json.nextToken()) != JsonToken.END_ARRAY;
            first = false) {
          if (!first) {
            append(',');
          }
          copyValue(element);
        }
        append(']');
      }
      default -> {
        int from = position();
        append(message, from, scalarEnd(from, value));
      }
    }
  }

  /** Returns the offset at which the parser's token begins. */
  private int position() {
    return offset + (int) json.currentTokenLocation().getByteOffset();
  }

  /** Has the parser check the whole scalar at {@code from}, and returns the scalar's end offset. */
  private int scalarEnd(int from, JsonToken value) throws IOException, ProblemException {
    if (value == JsonToken.VALUE_STRING) {
      json.finishToken();
      return stringEnd(from);
    }
    int length = json.getTextLength();
    if (value.isNumeric() && length > MAX_NUMBER_LENGTH) {
      throw new ProblemException(
          INVALID_JSON,
          entry(),
          "a number has at most " + MAX_NUMBER_LENGTH + " characters; got " + length);
    }
    return from + length;
  }

  /** Returns the end offset, past the closing quote, of the well-formed string at {@code from}. */
  private int stringEnd(int from) {
    int i = from + 1;
    while (message[i] != '"') {
      i += message[i] == '\\' ? 2 : 1;
    }
    return i + 1;
  }

  private ProblemException missing(String name) {
    return new ProblemException(INVALID_ENTRY, entry(), "the entry has no " + name);
  }

  private String entry() {
    return "/" + index;
  }

  /** Returns the member's pointer, or its entry's if the name is too long or not valid Unicode. */
  private String member(String name) {
    if (name.length() > 100 || !StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
      return entry();
    }
    return entry() + "/" + name.replace("~", "~0").replace("/", "~1");
  }

  private void put(byte[] from, int start, int end) {
    System.arraycopy(from, start, children, size, end - start);
    size += end - start;
  }

  private void append(char c) {
    growMembers(1);
    members[membersSize++] = (byte) c;
  }

  private void append(byte[] from, int start, int end) {
    growMembers(end - start);
    System.arraycopy(from, start, members, membersSize, end - start);
    membersSize += end - start;
  }

  private void growMembers(int more) {
    if (members.length - membersSize < more) {
      members = Arrays.copyOf(members, Math.max(membersSize + more, members.length * 2));
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
