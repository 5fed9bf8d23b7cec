package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import sessiontree.event.Batch;

/** What a log gives back, whatever is done to its files. */
class WriteAheadLogTest {
  /** As many as no test reaches. */
  private static final long ONE_SEGMENT = 1L << 40;

  /** Fewer than any record has, so that each commit fills its segment. */
  private static final long SEGMENT_A_COMMIT = Segment.HEADER_BYTES + 1;

  @TempDir Path directory;

  /** What was committed. */
  private final List<LogRecord> committed = new ArrayList<>();

  private Random random;

  @BeforeEach
  void seed() {
    random = new Random(1);
  }

  @Test
  void newLog_isEmpty_andBeginsWithRecordOne() throws IOException {
    List<LogRecord> read = new ArrayList<>();
    try (WriteAheadLog log = open(ONE_SEGMENT, read)) {
      assertThat(log.nextLsn()).isEqualTo(1);
    }
    assertThat(read).isEmpty();
    assertSurvive(0, ONE_SEGMENT, "an empty log");
  }

  // What a crash can leave in the newest segment: it is repaired.

  @Test
  void lastRecord_cutAnywhere_isAllThatIsLost() throws IOException {
    commit(ONE_SEGMENT, 3, 1, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int size = sound.length - bytes(4); size < sound.length; size++) {
      restore(file, Arrays.copyOf(sound, size));
      assertSurvive(4, ONE_SEGMENT, "cut to " + size + " bytes");
    }
  }

  @Test
  void lastRecord_zeroedFromAnywhere_isAllThatIsLost() throws IOException {
    commit(ONE_SEGMENT, 3, 1, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int from = sound.length - bytes(4); from < sound.length; from++) {
      byte[] zeroed = Arrays.copyOf(sound, sound.length + random.nextInt(100));
      Arrays.fill(zeroed, from, zeroed.length, (byte) 0);
      restore(file, zeroed);
      assertSurvive(4, ONE_SEGMENT, "zeros from offset " + from);
    }
  }

  @Test
  void lastRecord_withAnyByteFlipped_isAllThatIsLost() throws IOException {
    commit(ONE_SEGMENT, 3, 1, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int at = sound.length - bytes(4); at < sound.length; at++) {
      for (int mask : new int[] {1, 0xff}) {
        restore(file, flipped(sound, at, mask));
        assertSurvive(4, ONE_SEGMENT, "mask " + mask + " at offset " + at);
      }
    }
  }

  @Test
  void zerosBehindTheLastRecord_areCutOff() throws IOException {
    commit(ONE_SEGMENT, 2, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int zeros : new int[] {1, 7, 8, 9, 4096, 1 << 20}) {
      restore(file, Arrays.copyOf(sound, sound.length + zeros));
      assertSurvive(3, ONE_SEGMENT, zeros + " zeros behind it");
    }
  }

  @Test
  void noiseBehindTheLastRecord_isCutOff() throws IOException {
    commit(ONE_SEGMENT, 2, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int i = 0; i < 100; i++) {
      byte[] noise = new byte[1 + random.nextInt(3000)];
      random.nextBytes(noise);
      byte[] longer = Arrays.copyOf(sound, sound.length + noise.length);
      System.arraycopy(noise, 0, longer, sound.length, noise.length);
      restore(file, longer);
      assertSurvive(3, ONE_SEGMENT, noise.length + " bytes of noise, the " + i + "th");
    }
  }

  @Test
  void lastGroup_tornAtOneOfItsRecords_isLostFromThere() throws IOException {
    commit(ONE_SEGMENT, 2, 4);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int record = 2; record < 6; record++) {
      for (int at = offset(record); at < offset(record) + bytes(record); at++) {
        restore(file, flipped(sound, at, 0xff));
        assertSurvive(record, ONE_SEGMENT, "record " + (record + 1) + " flipped at offset " + at);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void newestSegment_withItsHeaderCutAnywhere_isAsIfItWereNotThere(boolean alone)
      throws IOException {
    commit(SEGMENT_A_COMMIT, alone ? 1 : 2);
    if (!alone) {
      commit(SEGMENT_A_COMMIT, 1);
    }
    List<Path> files = segments();
    assertThat(files).hasSize(alone ? 1 : 2);
    Path newest = files.get(files.size() - 1);
    byte[] sound = Files.readAllBytes(newest);
    for (int size = 0; size <= Segment.HEADER_BYTES; size++) {
      restore(newest, Arrays.copyOf(sound, size));
      assertSurvive(alone ? 0 : 2, SEGMENT_A_COMMIT, "a header of " + size + " bytes");
    }
    restore(newest, new byte[Segment.HEADER_BYTES]);
    assertSurvive(alone ? 0 : 2, SEGMENT_A_COMMIT, "a header of zeros");
  }

  // What no crash can leave: it stops the start.

  @Test
  void acknowledgedRecord_withAnyByteFlipped_stopsTheStart_whereAGroupWasCommittedBehindIt()
      throws IOException {
    commit(ONE_SEGMENT, 1, 2, 1);
    Path file = onlySegment();
    byte[] sound = Files.readAllBytes(file);
    for (int record = 0; record < 3; record++) {
      int offset = offset(record);
      for (int at = offset; at < offset + bytes(record); at++) {
        restore(file, flipped(sound, at, 0xff));
        assertRefused(ONE_SEGMENT, file, "offset " + offset, "flipped at offset " + at);
      }
    }
    restore(file, sound);
    assertSurvive(4, ONE_SEGMENT, "repaired by hand");
  }

  @Test
  void acknowledgedRecord_zeroed_stopsTheStart_whereAGroupWasCommittedBehindIt()
      throws IOException {
    commit(ONE_SEGMENT, 2, 1, 1);
    Path file = onlySegment();
    byte[] zeroed = Files.readAllBytes(file);
    Arrays.fill(zeroed, offset(1), offset(2), (byte) 0);
    restore(file, zeroed);
    assertRefused(ONE_SEGMENT, file, "offset " + offset(1), "zeroed");
  }

  @Test
  void missingSegment_betweenOthers_isRefused_byTheNameOfTheNext() throws IOException {
    commit(SEGMENT_A_COMMIT, 1, 2, 1, 1);
    List<Path> files = segments();
    assertThat(files).hasSize(4);
    for (int missing = 1; missing < 3; missing++) {
      byte[] sound = Files.readAllBytes(files.get(missing));
      Files.delete(files.get(missing));
      assertRefused(SEGMENT_A_COMMIT, files.get(missing + 1), "missing", "without " + missing);
      Files.write(files.get(missing), sound);
    }
    assertSurvive(5, SEGMENT_A_COMMIT, "with all");
  }

  @Test
  void segmentThatIsNotTheNewest_damagedInAnyWay_isRefusedByName() throws IOException {
    commit(SEGMENT_A_COMMIT, 2, 1);
    List<Path> files = segments();
    assertThat(files).hasSize(2);
    Path file = files.get(0);
    byte[] sound = Files.readAllBytes(file);
    int checked = Segment.HEADER_BYTES - 4; // the header's last bytes are spare
    for (int at = 0; at < sound.length; at++) {
      if (at < checked || at >= Segment.HEADER_BYTES) {
        restore(file, flipped(sound, at, 0xff));
        assertRefused(SEGMENT_A_COMMIT, file, "offset", "flipped at offset " + at);
      }
    }
    for (int size = 0; size < sound.length; size++) {
      boolean between = size == Segment.HEADER_BYTES || size == offset(1);
      restore(file, Arrays.copyOf(sound, size));
      assertRefused(
          SEGMENT_A_COMMIT,
          between ? files.get(1) : file, // a cut between records is noticed at the next segment
          between ? "missing" : "offset",
          "cut to " + size + " bytes");
    }
    restore(file, Arrays.copyOf(sound, sound.length + 1));
    assertRefused(SEGMENT_A_COMMIT, file, "offset " + sound.length, "a byte behind it");
    restore(file, sound);
    assertSurvive(3, SEGMENT_A_COMMIT, "repaired by hand");
  }

  @Test
  void newestSegment_withRecordsBehindADamagedHeader_isRefusedByName() throws IOException {
    commit(ONE_SEGMENT, 2);
    Path file = onlySegment();
    restore(file, flipped(Files.readAllBytes(file), 3, 1));
    assertRefused(ONE_SEGMENT, file, "offset 0", "a damaged header");
  }

  // Writing.

  @Test
  void segment_takesNoMoreGroups_whenItHasReachedItsSize() throws IOException {
    long segmentBytes = 1000;
    for (int i = 0; i < 60; i++) {
      commit(segmentBytes, 1);
    }
    List<Long> sizes = new ArrayList<>(List.of((long) Segment.HEADER_BYTES));
    for (LogRecord record : committed) {
      int last = sizes.size() - 1;
      if (sizes.get(last) >= segmentBytes) {
        sizes.add((long) Segment.HEADER_BYTES + bytes(record));
      } else {
        sizes.set(last, sizes.get(last) + bytes(record));
      }
    }
    assertThat(sizes).hasSizeGreaterThan(3);
    assertThat(segments()).extracting(Files::size).isEqualTo(sizes);
    assertSurvive(60, segmentBytes, "several segments");
  }

  @Test
  void logThatIsKilled_hasZerosBehindItsRecords_inItsNewestSegmentOnly() throws IOException {
    List<byte[]> killed = new ArrayList<>();
    try (WriteAheadLog log = open(ONE_SEGMENT, new ArrayList<>())) {
      add(log, record(1, 30));
      log.commit();
      log.seal();
      add(log, record(2, 30));
      log.commit();
      for (Path segment : segments()) {
        killed.add(Files.readAllBytes(segment));
      }
    }
    byte[] newest = Files.readAllBytes(segments().get(1));
    assertThat(killed.get(0)).hasSize(Segment.HEADER_BYTES + bytes(0));
    assertThat(newest).hasSize(Segment.HEADER_BYTES + bytes(1));
    assertThat(killed.get(1)).isEqualTo(Arrays.copyOf(newest, newest.length + (256 << 10)));
    restore(segments().get(1), killed.get(1));
    assertSurvive(2, ONE_SEGMENT, "killed");
  }

  @Test
  void recordsForWhichThereIsRoom_areCommitted_whereThereIsNoneForZeros() throws IOException {
    FaultyDisk disk = FaultyDisk.create(random);
    WriteAheadLog log = recovered(disk, new ArrayList<>());
    disk.limit(10 << 10);
    IOException full = null;
    while (full == null) {
      LogRecord record = record(log.nextLsn(), 100);
      try {
        log.add(record);
        log.commit();
        committed.add(record);
      } catch (IOException e) {
        full = e;
      }
    }
    long stored = IntStream.range(0, committed.size()).map(this::bytes).sum();
    assertThat(stored).isGreaterThan((10 << 10) - 2_000);
    log.rollback();
    log.cutBack();
    disk.limit(1 << 20);
    add(log, record(log.nextLsn(), 2_000));
    log.commit();
    List<LogRecord> read = new ArrayList<>();
    recovered(disk.kill(), read);
    assertSame(read, committed, "killed when there was room again");
  }

  private WriteAheadLog recovered(Disk disk, List<LogRecord> read) throws IOException {
    WriteAheadLog log = WriteAheadLog.of(disk, directory, ONE_SEGMENT);
    log.recover(read::add);
    return log;
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, 3 << 20})
  void record_largerThanTheStagingBuffer_isReadBack(int more) throws IOException {
    commit(ONE_SEGMENT, 1);
    long before = Files.size(onlySegment());
    LogRecord small = record(2, 0);
    int head = bytes(small) - small.children().length;
    LogRecord large = withChildren(small, (1 << 20) - head + more); // staging has 1 MiB
    try (WriteAheadLog log = open(ONE_SEGMENT, new ArrayList<>())) {
      add(log, large);
      add(log, record(3, 10));
      log.commit();
    }
    assertThat(Files.size(onlySegment()) - before).isGreaterThan((1 << 20) + more);
    assertSurvive(3, ONE_SEGMENT, "a large record");
  }

  @ParameterizedTest
  @ValueSource(ints = {10, (1 << 20) - 100, 3 << 20})
  void rollback_leavesNothingOfWhatWasAdded(int bytes) throws IOException {
    commit(ONE_SEGMENT, 2);
    long size = Files.size(onlySegment());
    try (WriteAheadLog log = open(ONE_SEGMENT, new ArrayList<>())) {
      log.add(record(3, 10));
      log.add(record(4, bytes));
      log.rollback();
      log.cutBack();
      assertThat(Files.size(onlySegment())).isEqualTo(size);
      assertThat(log.nextLsn()).isEqualTo(3);
      add(log, record(3, 20));
      log.commit();
    }
    assertSurvive(3, ONE_SEGMENT, "another record in its place");
  }

  @Test
  void rollback_ofTheFirstRecordOfASegment_leavesNothingOfIt() throws IOException {
    commit(SEGMENT_A_COMMIT, 2);
    try (WriteAheadLog log = open(SEGMENT_A_COMMIT, new ArrayList<>())) {
      log.add(record(3, 10));
      log.rollback();
      log.cutBack();
      assertThat(log.nextLsn()).isEqualTo(3);
    }
    assertSurvive(2, SEGMENT_A_COMMIT, "an empty segment");
  }

  @Test
  void add_afterRollback_isRefused_untilTheFileIsCutBack() throws IOException {
    commit(ONE_SEGMENT, 2);
    try (WriteAheadLog log = open(ONE_SEGMENT, new ArrayList<>())) {
      log.add(record(3, 10));
      log.rollback();
      assertThatIOException().isThrownBy(() -> log.add(record(3, 10)));
    }
    assertSurvive(2, ONE_SEGMENT, "closed before it was cut back");
  }

  @Test
  void recordThatWasNotCommitted_isNotThere() throws IOException {
    commit(ONE_SEGMENT, 2);
    try (WriteAheadLog log = open(ONE_SEGMENT, new ArrayList<>())) {
      log.add(record(3, 10));
    }
    assertSurvive(2, ONE_SEGMENT, "closed without a commit");
  }

  static LongStream seeds() {
    return new Random().longs(20);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void everyCommittedRecord_isReadBack_whateverTheGroupsAndSegments(long seed) throws IOException {
    random = new Random(seed);
    long segmentBytes = 1 + random.nextInt(20_000);
    for (int opened = 0; opened < 10; opened++) {
      List<LogRecord> read = new ArrayList<>();
      try (WriteAheadLog log = open(segmentBytes, read)) {
        assertSame(read, committed, "seed " + seed);
        for (int group = random.nextInt(10); group > 0; group--) {
          List<LogRecord> added = new ArrayList<>();
          for (int i = random.nextInt(6); i > 0; i--) {
            added.add(record(log.nextLsn(), random.nextInt(random.nextBoolean() ? 100 : 30_000)));
            log.add(added.get(added.size() - 1));
          }
          if (random.nextInt(4) == 0) {
            log.rollback();
            log.cutBack();
          } else {
            log.commit();
            committed.addAll(added);
          }
        }
      }
    }
    assertSurvive(committed.size(), segmentBytes, "seed " + seed);
  }

  // Records as bytes.

  @ParameterizedTest
  @MethodSource("seeds")
  void record_readFromItsBytes_isWhatItWas(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      LogRecord record = record(random.nextLong(), random.nextInt(500));
      long synced = random.nextLong();
      ByteBuffer body = body(record, synced);
      assertThat(LogRecord.lsn(body)).as("seed %d", seed).isEqualTo(record.lsn());
      assertThat(LogRecord.synced(body)).as("seed %d", seed).isEqualTo(synced);
      assertSame(List.of(LogRecord.read(body)), List.of(record), "seed " + seed);
    }
  }

  @Test
  void record_ofTheLongestNamesAndTimestamps_isWhatItWas() {
    Batch.Bound longest = new Batch.Bound(Long.MAX_VALUE, "1".repeat(1000));
    LogRecord record =
        new LogRecord(
            LogRecord.Type.APPEND,
            Long.MAX_VALUE,
            Long.MAX_VALUE,
            "~".repeat(128),
            Long.MAX_VALUE,
            "W".repeat(128),
            Long.MAX_VALUE,
            longest,
            new End(longest, Long.MAX_VALUE, true),
            0,
            new byte[0]);
    ByteBuffer body = body(record, Long.MAX_VALUE);
    assertThat(body.remaining()).isLessThanOrEqualTo(LogRecord.MAX_HEAD_BYTES);
    assertSame(List.of(LogRecord.read(body)), List.of(record), "the longest");
  }

  @Test
  void record_ofTheShortestNames_hasTheLeastBytes() {
    LogRecord record = LogRecord.probe(1, 0);
    assertThat(body(record, 0).remaining()).isGreaterThan(LogRecord.MIN_BODY_BYTES);
    assertSame(List.of(LogRecord.read(body(record, 0))), List.of(record), "the shortest");
  }

  @Test
  void record_cutBeforeItsChildren_isNone() {
    LogRecord record = record(1, 0);
    byte[] body = body(record, 32).array();
    for (int length = 0; length < body.length; length++) {
      assertThat(LogRecord.read(ByteBuffer.wrap(body, 0, length))).as("%d", length).isNull();
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void noise_isReadWithoutAFailure(long seed) {
    random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      byte[] noise = new byte[random.nextInt(200)];
      random.nextBytes(noise);
      if (noise.length > 0) {
        noise[0] = (byte) random.nextInt(3);
      }
      LogRecord read = LogRecord.read(ByteBuffer.wrap(noise));
      assertThat(read == null || noise[0] == 1 || noise[0] == 2).as("seed %d", seed).isTrue();
    }
  }

  private WriteAheadLog open(long segmentBytes, List<LogRecord> read) throws IOException {
    WriteAheadLog log = WriteAheadLog.of(Disk.real(), directory, segmentBytes);
    try {
      log.recover(read::add);
      return log;
    } catch (IOException e) {
      log.close();
      throw e;
    }
  }

  private void add(WriteAheadLog log, LogRecord record) throws IOException {
    log.add(record);
    committed.add(record);
  }

  /** Commits groups of so many records each. */
  private void commit(long segmentBytes, int... groups) throws IOException {
    try (WriteAheadLog log = open(segmentBytes, new ArrayList<>())) {
      for (int records : groups) {
        for (int i = 0; i < records; i++) {
          add(log, record(log.nextLsn(), 1 + random.nextInt(40)));
        }
        log.commit();
      }
    }
  }

  /**
   * Opens the damaged log and expects the first of what was committed; appends to it, commits, and
   * reads all of it again.
   */
  private void assertSurvive(int records, long segmentBytes, String damage) throws IOException {
    List<LogRecord> survivors = new ArrayList<>(committed.subList(0, records));
    List<LogRecord> read = new ArrayList<>();
    LogRecord next = record(records + 1, 30);
    try (WriteAheadLog log = open(segmentBytes, read)) {
      assertSame(read, survivors, damage);
      assertThat(log.nextLsn()).as(damage).isEqualTo(next.lsn());
      log.add(next);
      log.commit();
    }
    survivors.add(next);
    List<LogRecord> again = new ArrayList<>();
    open(segmentBytes, again).close();
    assertSame(again, survivors, damage + ", then appended to");
  }

  private void assertRefused(long segmentBytes, Path file, String what, String damage) {
    assertThatExceptionOfType(DamageException.class)
        .as(damage)
        .isThrownBy(() -> open(segmentBytes, new ArrayList<>()).close())
        .withMessageContaining(file.getFileName().toString())
        .withMessageContaining(what);
  }

  /** Gives the file other contents, and removes what was appended behind it meanwhile. */
  private void restore(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    for (Path other : segments()) {
      if (appended(other, file)) {
        Files.delete(other);
      }
    }
  }

  /** Whether the segment is newer than both the file and what was committed. */
  private boolean appended(Path segment, Path file) {
    String name = segment.getFileName().toString();
    long firstLsn = Long.parseLong(name.substring(0, name.indexOf('.')), 16);
    return segment.compareTo(file) > 0 && firstLsn > committed.size();
  }

  private List<Path> segments() throws IOException {
    return Disk.real().list(directory).stream().filter(Segment::isSegment).toList();
  }

  private Path onlySegment() throws IOException {
    List<Path> files = segments();
    assertThat(files).hasSize(1);
    return files.get(0);
  }

  /** Where the record, counted from 0, begins in the first segment. */
  private int offset(int record) {
    return Segment.HEADER_BYTES + IntStream.range(0, record).map(this::bytes).sum();
  }

  private int bytes(int record) {
    return bytes(committed.get(record));
  }

  private static int bytes(LogRecord record) {
    return Segment.RECORD_HEADER_BYTES + body(record, 0).remaining();
  }

  private static ByteBuffer body(LogRecord record, long synced) {
    ByteBuffer head = ByteBuffer.allocate(LogRecord.MAX_HEAD_BYTES);
    record.putHead(head, synced);
    head.flip();
    byte[] body = new byte[head.remaining() + record.children().length];
    return ByteBuffer.wrap(body).put(head).put(record.children()).flip();
  }

  private static byte[] flipped(byte[] sound, int at, int mask) {
    byte[] flipped = sound.clone();
    flipped[at] ^= (byte) mask;
    return flipped;
  }

  /** A record of random contents, but for its number and how many bytes of children it has. */
  private LogRecord record(long lsn, int bytes) {
    LogRecord record =
        new LogRecord(
            LogRecord.Type.APPEND,
            lsn,
            random.nextLong(),
            name(),
            random.nextLong(),
            random.nextBoolean() ? "" : name(),
            random.nextLong(),
            bound(),
            end(),
            random.nextInt(),
            new byte[0]);
    return withChildren(record, bytes);
  }

  private LogRecord withChildren(LogRecord record, int bytes) {
    byte[] children = new byte[bytes];
    random.nextBytes(children);
    if (bytes > 0) { // ends as text does: not with a zero
      children[bytes - 1] = '}';
    }
    return new LogRecord(
        record.type(),
        record.lsn(),
        record.millis(),
        record.id(),
        record.sequence(),
        record.writer(),
        record.number(),
        record.start(),
        record.end(),
        record.count(),
        children);
  }

  private String name() {
    String letters = "azAZ09._~-";
    int length = random.nextInt(8) == 0 ? 128 : 1 + random.nextInt(10);
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < length; i++) {
      name.append(letters.charAt(random.nextInt(letters.length())));
    }
    return name.toString();
  }

  private Batch.Bound bound() {
    if (random.nextBoolean()) {
      return null;
    }
    int digits = random.nextInt(8) == 0 ? 1000 : 1 + random.nextInt(12);
    return new Batch.Bound(random.nextLong(), "7".repeat(digits));
  }

  private End end() {
    Batch.Bound bound = bound();
    return bound == null ? null : new End(bound, random.nextLong(), random.nextBoolean());
  }

  private static void assertSame(List<LogRecord> actual, List<LogRecord> expected, String what) {
    assertThat(actual.stream().map(WriteAheadLogTest::comparable))
        .as(what)
        .containsExactlyElementsOf(expected.stream().map(WriteAheadLogTest::comparable).toList());
  }

  /** The record's members, its children as something that is equal when its bytes are. */
  private static List<Object> comparable(LogRecord record) {
    return Arrays.asList(
        record.type(),
        record.millis(),
        record.lsn(),
        record.id(),
        record.sequence(),
        record.writer(),
        record.number(),
        record.start(),
        record.end(),
        record.count(),
        ByteBuffer.wrap(record.children()));
  }
}
