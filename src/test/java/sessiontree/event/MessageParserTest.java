package sessiontree.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;
import static sessiontree.event.Messages.END;
import static sessiontree.event.Messages.EVENT;
import static sessiontree.event.Messages.START;
import static sessiontree.event.Messages.childrenOf;
import static sessiontree.event.Messages.event;
import static sessiontree.event.Messages.parse;
import static sessiontree.event.Problem.ENTRY_AFTER_END;
import static sessiontree.event.Problem.INVALID_ENTRY;
import static sessiontree.event.Problem.INVALID_JSON;
import static sessiontree.event.Problem.INVALID_MESSAGE;
import static sessiontree.event.Problem.SESSION_ID_MISMATCH;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules of a message, one by one. In the tables, JSON is written with ' for ". */
final class MessageParserTest {
  @ParameterizedTest(name = "{0}")
  @MethodSource
  void parse_ofWhatIsNoMessage_isRefused(String claim, String message, Problem problem) {
    var refusal = refusal(message);

    assertThat(refusal.problem()).isEqualTo(problem);
    assertThat(refusal.pointer()).isEqualTo(problem == INVALID_MESSAGE ? "" : null);
    assertThat(refusal.detail()).matches("[ -~]+");
  }

  static Stream<Arguments> parse_ofWhatIsNoMessage_isRefused() {
    return Stream.of(
        arguments("nothing", "", INVALID_JSON),
        arguments("white space", " \r\n\t", INVALID_JSON),
        arguments("a byte order mark", "\ufeff", INVALID_JSON),
        arguments("two byte order marks", "\ufeff\ufeff[" + EVENT + "]", INVALID_JSON),
        arguments("a byte order mark in the midst", "[\ufeff" + EVENT + "]", INVALID_JSON),
        arguments("an object", "{}", INVALID_MESSAGE),
        arguments("an entry without its array", EVENT, INVALID_MESSAGE),
        arguments("a number", "1", INVALID_MESSAGE),
        arguments("a string", "\"[]\"", INVALID_MESSAGE),
        arguments("null", "null", INVALID_MESSAGE),
        arguments("true", "true", INVALID_MESSAGE),
        arguments("an empty array", "[]", INVALID_MESSAGE),
        arguments("an empty array with white space", " [ ] ", INVALID_MESSAGE),
        arguments("an array of a comma", "[,]", INVALID_JSON),
        arguments("two empty arrays", "[][]", INVALID_JSON),
        arguments("two arrays", "[" + EVENT + "][" + EVENT + "]", INVALID_JSON),
        arguments("two arrays, one a line", "[" + EVENT + "]\n[" + EVENT + "]", INVALID_JSON),
        arguments("an array closed twice", "[" + EVENT + "]]", INVALID_JSON),
        arguments("an array not closed", "[" + EVENT, INVALID_JSON),
        arguments("an array not closed behind a comma", "[" + EVENT + ",", INVALID_JSON),
        arguments("an array closed as an object", "[" + EVENT + "}", INVALID_JSON),
        arguments("a comma behind the array", "[" + EVENT + "],", INVALID_JSON),
        arguments("a word behind the array", "[" + EVENT + "] x", INVALID_JSON),
        arguments("a comma too many at the end", "[" + EVENT + ",,]", INVALID_JSON),
        arguments("a comma too many", "[" + EVENT + ",," + EVENT + "]", INVALID_JSON),
        arguments("a comma too early", "[," + EVENT + "]", INVALID_JSON),
        arguments("no comma", "[" + EVENT + " " + EVENT + "]", INVALID_JSON),
        arguments("a comma too many in an entry", "[" + event(",,") + "]", INVALID_JSON),
        arguments("an entry of a comma", "[{,}]", INVALID_JSON),
        arguments("a comment", "[/* */" + EVENT + "]", INVALID_JSON),
        arguments("a comment line", "[\n//\n" + EVENT + "]", INVALID_JSON),
        arguments("single quotes", "['type']", INVALID_JSON),
        arguments("NaN", "[" + event(",\"x\":NaN") + "]", INVALID_JSON),
        arguments("Infinity", "[" + event(",\"x\":-Infinity") + "]", INVALID_JSON),
        arguments("a name without quotes", "[" + event(",x:1") + "]", INVALID_JSON),
        arguments("a line break in a string", "[" + event(",\"x\":\"\n\"") + "]", INVALID_JSON),
        arguments("a NUL first", "\0[" + EVENT + "]", INVALID_JSON),
        arguments("a NUL second", "[\0" + EVENT + "]", INVALID_JSON),
        arguments("a NUL in a string", "[" + event(",\"x\":\"\0\"") + "]", INVALID_JSON),
        arguments("a NUL last", "[" + EVENT + "]\0", INVALID_JSON),
        arguments("UTF-16, big-endian", wide("[" + EVENT + "]", "\0", ""), INVALID_JSON),
        arguments("UTF-16, little-endian", wide("[" + EVENT + "]", "", "\0"), INVALID_JSON),
        arguments("UTF-32, big-endian", wide("[" + EVENT + "]", "\0\0\0", ""), INVALID_JSON),
        arguments("UTF-32, little-endian", wide("[" + EVENT + "]", "", "\0\0\0"), INVALID_JSON),
        arguments("UTF-16, two bytes", "1\0", INVALID_JSON),
        arguments(
            "UTF-16 behind a mark", "\ufeff" + wide("[" + EVENT + "]", "\0", ""), INVALID_JSON));
  }

  private static String wide(String ascii, String before, String behind) {
    return ascii.replaceAll("(?s)(.)", before + "$1" + behind);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void parse_ofAMessageThatBreaksARule_isRefusedWithItsPointer(
      String claim, String message, Problem problem, String pointer) {
    var refusal = refusal(message.replace('\'', '"'));

    assertThat(refusal.problem()).isEqualTo(problem);
    assertThat(refusal.pointer()).isEqualTo(pointer);
    assertThat(refusal.detail()).matches("[ -~]+");
  }

  static Stream<Arguments> parse_ofAMessageThatBreaksARule_isRefusedWithItsPointer() {
    return Stream.of(
        // The entry itself.
        broken("an entry is a number", "[1]", "/0"),
        broken("an entry is null", "[null]", "/0"),
        broken("an entry is an array", "[[" + EVENT + "]]", "/0"),
        broken("an entry is a string", "['EVENT']", "/0"),
        broken("the third entry is true", "[" + START + "," + EVENT + ",true]", "/2"),
        broken("an entry is empty", "[{}]", "/0"),
        // type
        broken("no type", "[{'timestamp':1,'name':'n'}]", "/0"),
        broken("type is null", "[{'type':null,'timestamp':1,'name':'n'}]", "/0/type"),
        broken("type is a number", "[{'type':1,'timestamp':1,'name':'n'}]", "/0/type"),
        broken("type is an array", "[{'type':['EVENT'],'timestamp':1}]", "/0/type"),
        broken("type is empty", "[{'type':'','timestamp':1,'name':'n'}]", "/0/type"),
        broken("type is unknown", "[{'type':'SESSION','timestamp':1}]", "/0/type"),
        broken(
            "type is in small letters", "[{'type':'event','timestamp':1,'name':'n'}]", "/0/type"),
        broken("type has a blank", "[{'type':'EVENT ','timestamp':1,'name':'n'}]", "/0/type"),
        broken("TYPE is not type", "[{'TYPE':'EVENT','timestamp':1,'name':'n'}]", "/0"),
        // timestamp
        broken("EVENT without timestamp", "[{'type':'EVENT','name':'n'}]", "/0"),
        broken("START without timestamp", "[{'type':'SESSION_START','session_id':'s-1'}]", "/0"),
        broken("END without timestamp", "[{'type':'SESSION_END','session_id':'s-1'}]", "/0"),
        timestamp("'1569972083'"),
        timestamp("'2019-10-01T23:21:23Z'"),
        timestamp("null"),
        timestamp("true"),
        timestamp("[1]"),
        timestamp("{}"),
        timestamp("-1"),
        timestamp("-0.0000000009"),
        timestamp("9223372036"),
        timestamp("9.223372036e9"),
        timestamp("1569972083000"),
        timestamp("1e99999999999999999999"),
        broken(
            "a SESSION_START's timestamp",
            "[{'type':'SESSION_START','timestamp':-1,'session_id':'s-1'}]",
            "/0/timestamp"),
        broken(
            "the third entry's timestamp",
            "["
                + START
                + ","
                + EVENT
                + ",{'type':'SESSION_END','timestamp':'9','session_id':'s-1'}]",
            "/2/timestamp"),
        // name
        broken("no name", "[{'type':'EVENT','timestamp':1}]", "/0"),
        name("''"),
        name("null"),
        name("1"),
        name("1234567"),
        name("true"),
        name("[]"),
        name("['n']"),
        name("{'a':'n'}"),
        // session_id
        broken("START without session_id", "[{'type':'SESSION_START','timestamp':1}]", "/0"),
        broken(
            "END without session_id", "[" + START + ",{'type':'SESSION_END','timestamp':1}]", "/1"),
        broken(
            "EVENT's session_id is null", "[" + event(",'session_id':null") + "]", "/0/session_id"),
        broken(
            "EVENT's session_id is a number",
            "[" + event(",'session_id':1") + "]",
            "/0/session_id"),
        broken(
            "START's session_id is an array",
            "[{'type':'SESSION_START','timestamp':1,'session_id':['s-1']}]",
            "/0/session_id"),
        mismatch("EVENT", "s-2"),
        mismatch("EVENT", ""),
        mismatch("SESSION_START", "S-1"),
        mismatch("SESSION_START", "s-1 "),
        mismatch("SESSION_END", "é\\n\\ud800"),
        // order
        arguments("EVENT after END", "[" + END + "," + EVENT + "]", ENTRY_AFTER_END, "/1"),
        arguments("END after END", "[" + END + "," + END + "]", ENTRY_AFTER_END, "/1"),
        arguments(
            "START after END", "[" + START + "," + END + "," + START + "]", ENTRY_AFTER_END, "/2"),
        // members named twice
        broken(
            "type twice", "[{'type':'EVENT','type':'EVENT','timestamp':1,'name':'n'}]", "/0/type"),
        broken("timestamp twice", "[" + event(",'timestamp':5") + "]", "/0/timestamp"),
        broken("name twice", "[" + event(",'name':'n'") + "]", "/0/name"),
        broken("name twice, escaped", "[" + event(",'na\\u006de':'n'") + "]", "/0/name"),
        broken(
            "session_id twice",
            "[" + START + "," + event(",'session_id':'s-1','session_id':'s-1'") + "]",
            "/1/session_id"),
        broken("another member twice", "[" + event(",'x':1,'y':2,'x':1") + "]", "/0/x"),
        broken("another member twice, escaped", "[" + event(",'\\u0078':1,'x':1") + "]", "/0/x"),
        broken("the empty name twice", "[" + event(",'':1,'':1") + "]", "/0/"),
        broken(
            "a name with ~ and / twice",
            "[" + event(",'~a/b~1':1,'~a/b~1':1") + "]",
            "/0/~0a~1b~01"),
        broken(
            "a long name twice",
            "[" + event(",'abcdefghijklmnopqrstuvwxyz':1".repeat(2)) + "]",
            "/0/abcdefghijklmnopqrstuvwxyz"),
        broken("é twice", "[" + event(",'é':1,'\\u00e9':1") + "]", "/0/é"),
        broken("a face twice, escaped", "[" + event(",'😀':1,'\\ud83d\\ude00':1") + "]", "/0/😀"),
        broken(
            "a member of SESSION_START twice",
            "[" + START.replace("}", ",'x':1,'x':1}") + "]",
            "/0/x"));
  }

  private static Arguments broken(String claim, String message, String pointer) {
    return arguments(claim, message, INVALID_ENTRY, pointer);
  }

  private static Arguments timestamp(String value) {
    String entry = "{'type':'EVENT','timestamp':" + value + ",'name':'n'}";
    return broken("timestamp " + value, "[" + entry + "]", "/0/timestamp");
  }

  private static Arguments name(String value) {
    String entry = "{'type':'EVENT','timestamp':1,'name':" + value + "}";
    return broken("name " + value, "[" + EVENT + "," + entry + "]", "/1/name");
  }

  private static Arguments mismatch(String type, String id) {
    return arguments(
        type + " of session " + id.replace("\\", ""),
        "[{'type':'" + type + "','timestamp':1,'name':'n','session_id':'" + id + "'}]",
        SESSION_ID_MISMATCH,
        "/0/session_id");
  }

  @ParameterizedTest
  @CsvSource({
    "100000000000, milliseconds: divide it by 1000",
    "1569972083000, milliseconds: divide it by 1000",
    "1569972083000000, microseconds: divide it by 1000000",
    "1569972083000000000, nanoseconds: divide it by 1000000000",
    "1e400, nanoseconds: divide it by 1000000000"
  })
  void parse_ofATimestampFrom100000000000On_saysWhatItLooksLike(String timestamp, String words) {
    var refusal = refusal("[" + EVENT.replace(":5", ":" + timestamp) + "]");

    assertThat(refusal.detail()).endsWith('"' + timestamp + "\" looks like " + words);
  }

  @ParameterizedTest
  @ValueSource(strings = {"99999999999", "10000000000", "9223372036", "-1569972083000"})
  void parse_ofATimestampBelow100000000000_saysOnlyThatItIsOutOfRange(String timestamp) {
    var refusal = refusal("[" + EVENT.replace(":5", ":" + timestamp) + "]");

    assertThat(refusal.detail()).contains(timestamp).doesNotContain("looks like");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void parse_ofAnEvent_givesTheChildAsItWillStandInTheTree(
      String claim, String entries, String child) throws Exception {
    String message = entries.replace('\'', '"');

    assertThat(childrenOf(message)).containsExactly(child.replace('\'', '"'));
    assertThat(childrenOf("\ufeff" + message)).containsExactly(child.replace('\'', '"'));
  }

  static Stream<Arguments> parse_ofAnEvent_givesTheChildAsItWillStandInTheTree() {
    String child = "{'type':'EVENT','timestamp':5,'name':'n'}";
    return Stream.of(
        arguments("without more", "[{'type':'EVENT','timestamp':5,'name':'n'}]", child),
        arguments("trailing commas", "[{'type':'EVENT','timestamp':5,'name':'n',},]", child),
        arguments(
            "white space",
            "\n[ {\r\n\t'type' : 'EVENT' , 'timestamp'\t:\n5 , 'name' : 'n' , } , ]\n",
            child),
        arguments("another order", "[{'name':'n','timestamp':5,'type':'EVENT'}]", child),
        arguments(
            "another order, and more",
            "[{'b':1,'name':'n','a':2,'timestamp':5,'c':3,'type':'EVENT','A':4}]",
            "{'type':'EVENT','timestamp':5,'name':'n','b':1,'a':2,'c':3,'A':4}"),
        arguments(
            "its session_id", "[" + event(",'session_id':'s-1','x':1") + "]", event(",'x':1")),
        arguments(
            "its session_id, escaped", "[" + event(",'session_\\u0069d':'\\u0073-1'") + "]", child),
        arguments(
            "escaped names and type",
            "[{'t\\u0079pe':'\\u0045VENT','\\u0074imestamp':5,'na\\u006de':'n'}]",
            child),
        arguments(
            "a name with escapes",
            "[{'type':'EVENT','timestamp':5,'name':'\\u006e\\/é\\n\\ud800'}]",
            "{'type':'EVENT','timestamp':5,'name':'\\u006e\\/é\\n\\ud800'}"),
        arguments(
            "a name of one escape",
            "[{'type':'EVENT','timestamp':5,'name':'\\u0000'}]",
            "{'type':'EVENT','timestamp':5,'name':'\\u0000'}"),
        arguments("between START and END", "[" + START + "," + child + "," + END + "]", child));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "-0, 0",
    "-0.0, 0",
    "1569972083.125, 1569972083125000000",
    "1569972083.50, 1569972083500000000",
    "1.5E+09, 1500000000000000000",
    "15699720830e-1, 1569972083000000000",
    "0.00000000199, 1",
    "9223372035.99999999999, 9223372035999999999"
  })
  void parse_ofATimestamp_keepsItAsSentAndOrdersByItsNanoseconds(String timestamp, long key)
      throws Exception {
    String event = EVENT.replace(":5", ":" + timestamp);

    assertThat(Child.all(parse("[" + event + "]").children()))
        .containsExactly(new Child(key, event.substring(Child.HEAD.length())));
    for (String bound :
        new String[] {START.replace(":1", ":" + timestamp), END.replace(":9", ":" + timestamp)}) {
      Batch batch = parse("[" + bound + "]");
      assertThat(bound.contains("START") ? batch.start() : batch.end())
          .isEqualTo(new Batch.Bound(key, timestamp));
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void parse_ofAnAdditionalMember_keepsItToTheLastByte(String sent, String kept) throws Exception {
    String expected = event("," + kept.replace('\'', '"'));

    assertThat(childrenOf("[" + event("," + sent.replace('\'', '"')) + "]"))
        .containsExactly(expected);
    assertThat(childrenOf("[{" + sent.replace('\'', '"') + "," + EVENT.substring(1) + "]"))
        .containsExactly(expected);
  }

  static Stream<Arguments> parse_ofAnAdditionalMember_keepsItToTheLastByte() {
    return Stream.of(
        arguments("'x':1e400", "'x':1e400"),
        arguments("'x':-1.50E-0400", "'x':-1.50E-0400"),
        arguments("'x':1e99999999999999999999", "'x':1e99999999999999999999"),
        arguments(
            "'x':0.1000000000000000055511151231257827", "'x':0.1000000000000000055511151231257827"),
        arguments("'x':18446744073709551616", "'x':18446744073709551616"),
        arguments("'x':-0.0,'y':-0,'z':0e0", "'x':-0.0,'y':-0,'z':0e0"),
        arguments("'x':true,'y':false,'z':null", "'x':true,'y':false,'z':null"),
        arguments("'x':''", "'x':''"),
        arguments("'x':'\\ud800'", "'x':'\\ud800'"),
        arguments("'x':'\\uDC00\\uD800 \\ud83d\\uDE00'", "'x':'\\uDC00\\uD800 \\ud83d\\uDE00'"),
        arguments("'x':'\\/\\b\\u002f\\\\\\\" , ] }'", "'x':'\\/\\b\\u002f\\\\\\\" , ] }'"),
        arguments("'x':'é€😀\u007f\u2028'", "'x':'é€😀\u007f\u2028'"),
        arguments("'é€😀':1", "'é€😀':1"),
        arguments("'\\u0078\\\"\\uD83D\\uDE00':1", "'\\u0078\\\"\\uD83D\\uDE00':1"),
        arguments("'':1,'\\u0000':2,'\\u0000\\u0000':3", "'':1,'\\u0000':2,'\\u0000\\u0000':3"),
        arguments("'a':1,'a\\u0000':2,'\\u0000a':3", "'a':1,'a\\u0000':2,'\\u0000a':3"),
        arguments("'x':[],'y':{}", "'x':[],'y':{}"),
        arguments("'x' :\n[ ] , 'y' : {\t}", "'x':[],'y':{}"),
        arguments("'x': [1 , -2.0 ,'a b' ,]", "'x':[1,-2.0,'a b']"),
        arguments("'x':{ 'a' : [ { } , ] , }", "'x':{'a':[{}]}"),
        arguments("'x':[[[1,],],{'y':{'z':[null,],},},]", "'x':[[[1]],{'y':{'z':[null]}}]"),
        arguments("'x':{'a':1,'a':2,'\\u0061':3}", "'x':{'a':1,'a':2,'\\u0061':3}"),
        arguments("'x':[{'type':1,'type':2}]", "'x':[{'type':1,'type':2}]"),
        arguments(
            "'x':{'type':'SESSION_END','timestamp':'t','name':'','session_id':1}",
            "'x':{'type':'SESSION_END','timestamp':'t','name':'','session_id':1}"),
        arguments("'Type':1,'type ':2,'NAME':3", "'Type':1,'type ':2,'NAME':3"));
  }

  @Test
  void parse_ofSeveralEvents_keepsTheirOrder() throws Exception {
    assertThat(childrenOf("[" + event(",\"i\":2") + "," + event(",\"i\":1") + "," + EVENT + "]"))
        .containsExactly(event(",\"i\":2"), event(",\"i\":1"), EVENT);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void parse_ofBounds_returnsThemAndTheirPlaces(
      String claim,
      String message,
      int startIndex,
      int secondStartIndex,
      String startText,
      String endText)
      throws Exception {
    Batch batch = parse(message);

    assertThat(batch.startIndex()).isEqualTo(startIndex);
    assertThat(batch.secondStartIndex()).isEqualTo(secondStartIndex);
    assertThat(batch.start() == null ? null : batch.start().text()).isEqualTo(startText);
    assertThat(batch.end() == null ? null : batch.end().text()).isEqualTo(endText);
  }

  static Stream<Arguments> parse_ofBounds_returnsThemAndTheirPlaces() {
    String sameStart = START.replace(":1", ":10e-1");
    String otherStart = START.replace(":1", ":1.5");
    return Stream.of(
        arguments("none", "[" + EVENT + "]", -1, -1, null, null),
        arguments("a start", "[" + START + "]", 0, -1, "1", null),
        arguments("an end", "[" + EVENT + "," + END + "]", -1, -1, null, "9"),
        arguments("both", "[" + START + "," + EVENT + "," + END + ",]", 0, -1, "1", "9"),
        arguments("a late start", "[" + EVENT + "," + START + "]", 1, -1, "1", null),
        arguments("a start again", "[" + START + "," + sameStart + "]", 0, -1, "1", null),
        arguments(
            "a second start",
            "[" + START + "," + sameStart + "," + otherStart + "," + otherStart + "]",
            0,
            2,
            "1",
            null),
        arguments(
            "an end before the start",
            "[" + START + "," + END.replace(":9", ":0.5") + "]",
            0,
            -1,
            "1",
            "0.5"));
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "`\"x\":[1,{\"a\":null,},]`",
        "`\"name\":\"n\"`",
        "`\"name\":\"\"`",
        "`\"name\":null`",
        "`\"name\":[{\"name\":1,},\"]\",]`",
        "`\"x\":{\"x\":1,\"x\":2}`"
      })
  void parse_ofFurtherMembersOfStartAndEnd_ignoresThem(String member) throws Exception {
    for (String entry : new String[] {START, END}) {
      String behind = "[" + entry.replace("}", "," + member + "}") + "]";
      String before = "[{" + member + "," + entry.substring(1) + "]";
      for (String message : new String[] {behind, before}) {
        assertThat(parse(message)).usingRecursiveComparison().isEqualTo(parse("[" + entry + "]"));
      }
    }
  }

  private static ProblemException refusal(String message) {
    var refusal = catchThrowableOfType(ProblemException.class, () -> parse(message));
    assertThat(refusal).as("%s is refused", message).isNotNull();
    return refusal;
  }
}
