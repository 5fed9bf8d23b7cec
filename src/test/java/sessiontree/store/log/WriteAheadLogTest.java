package sessiontree.store.log;

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

/** What a log replays, whatever is done to its files. */
class WriteAheadLogTest {
  /** A segment size that no test reaches. */
  private static final long ONE_SEGMENT = 1L << 40;

  /** A segment size that each record exceeds, so that each commit fills its segment. */
  private static final long SEGMENT_A_COMMIT = Segment.HEADER_BYTES + 1;

  @TempDir Path directory;

  /** The records that were committed. */
  private final List<Bytes> committed = new ArrayList<>();

  private Random random;

  @BeforeEach
  void seed() {
    random = new Random(1);
  }

  @Test
  void newLog_isEmpty_andBeginsWithRecordOne() throws IOException {
    List<Read> read = new ArrayList<>();
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

  @Test
  void recordThatMakesNoSense_thoughItsChecksumIsRight_stopsTheStart() throws IOException {
    commit(ONE_SEGMENT, 2);
    WriteAheadLog log = new WriteAheadLog(Disk.real(), directory, ONE_SEGMENT);
    assertThatExceptionOfType(DamageException.class)
        .isThrownBy(() -> log.recover((lsn, bytes) -> lsn < 2))
        .withMessageContaining(onlySegment().getFileName() + ": invalid payload of record 2,");
    log.close();
  }

  // Writing.

  @Test
  void segment_takesNoMoreGroups_whenItHasReachedItsSize() throws IOException {
    long segmentBytes = 1000;
    for (int i = 0; i < 60; i++) {
      commit(segmentBytes, 1);
    }
    List<Long> sizes = new ArrayList<>(List.of((long) Segment.HEADER_BYTES));
    for (Bytes record : committed) {
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
      Bytes record = record(log.nextLsn(), 100);
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
    List<Read> read = new ArrayList<>();
    recovered(disk.kill(), read);
    assertSame(read, committed, "killed when there was room again");
  }

  private WriteAheadLog recovered(Disk disk, List<Read> read) throws IOException {
    WriteAheadLog log = new WriteAheadLog(disk, directory, ONE_SEGMENT);
    log.recover((lsn, bytes) -> Read.copy(lsn, bytes, read));
    return log;
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, 3 << 20})
  void record_largerThanTheStagingBuffer_isReadBack(int more) throws IOException {
    commit(ONE_SEGMENT, 1);
    long before = Files.size(onlySegment());
    Bytes small = record(2, 0);
    int head = bytes(small) - small.tail().length;
    Bytes large = withTail(small, (1 << 20) - head + more); // the staging buffer has 1 MiB
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
      List<Read> read = new ArrayList<>();
      try (WriteAheadLog log = open(segmentBytes, read)) {
        assertSame(read, committed, "seed " + seed);
        for (int group = random.nextInt(10); group > 0; group--) {
          List<Bytes> added = new ArrayList<>();
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

  private WriteAheadLog open(long segmentBytes, List<Read> read) throws IOException {
    WriteAheadLog log = new WriteAheadLog(Disk.real(), directory, segmentBytes);
    try {
      log.recover((lsn, bytes) -> Read.copy(lsn, bytes, read));
      return log;
    } catch (IOException e) {
      log.close();
      throw e;
    }
  }

  private void add(WriteAheadLog log, Bytes record) throws IOException {
    log.add(record);
    committed.add(record);
  }

  /** Commits groups with these numbers of records. */
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
   * Opens the damaged log and expects the first {@code records} of the committed records; then
   * appends to it, commits, and reads everything again.
   */
  private void assertSurvive(int records, long segmentBytes, String damage) throws IOException {
    List<Bytes> survivors = new ArrayList<>(committed.subList(0, records));
    List<Read> read = new ArrayList<>();
    Bytes next = record(records + 1, 30);
    try (WriteAheadLog log = open(segmentBytes, read)) {
      assertSame(read, survivors, damage);
      assertThat(log.nextLsn()).as(damage).isEqualTo(next.lsn());
      log.add(next);
      log.commit();
    }
    survivors.add(next);
    List<Read> again = new ArrayList<>();
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

  /** Overwrites the file, and deletes segments that were appended after it meanwhile. */
  private void restore(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    for (Path other : segments()) {
      if (appended(other, file)) {
        Files.delete(other);
      }
    }
  }

  /** Returns whether the segment is newer than both the file and the committed records. */
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

  /** Returns the offset in the first segment at which the record, counted from 0, begins. */
  private int offset(int record) {
    return Segment.HEADER_BYTES + IntStream.range(0, record).map(this::bytes).sum();
  }

  private int bytes(int record) {
    return bytes(committed.get(record));
  }

  private static int bytes(Bytes record) {
    return Segment.RECORD_HEADER_BYTES
        + Segment.BODY_HEADER_BYTES
        + record.head().length
        + record.tail().length;
  }

  private static byte[] flipped(byte[] sound, int at, int mask) {
    byte[] flipped = sound.clone();
    flipped[at] ^= (byte) mask;
    return flipped;
  }

  /** Returns a random record with that LSN and {@code bytes} bytes of tail. */
  private Bytes record(long lsn, int bytes) {
    byte[] head = new byte[1 + random.nextInt(random.nextInt(8) == 0 ? 1000 : 50)];
    random.nextBytes(head);
    return withTail(new Bytes(lsn, head, new byte[0]), bytes);
  }

  private Bytes withTail(Bytes record, int bytes) {
    byte[] tail = new byte[bytes];
    random.nextBytes(tail);
    byte[] last = bytes > 0 ? tail : record.head();
    last[last.length - 1] = '}'; // like text, the payload does not end with a zero
    return new Bytes(record.lsn(), record.head(), tail);
  }

  private static void assertSame(List<Read> actual, List<Bytes> expected, String what) {
    assertThat(actual)
        .as(what)
        .containsExactlyElementsOf(expected.stream().map(Bytes::asRead).toList());
  }

  /** A payload as it is logged. */
  private record Bytes(long lsn, byte[] head, byte[] tail) implements WriteAheadLog.Body {
    @Override
    public void putHead(ByteBuffer to) {
      to.put(head);
    }

    Read asRead() {
      ByteBuffer all = ByteBuffer.allocate(head.length + tail.length);
      return new Read(lsn, all.put(head).put(tail).flip());
    }
  }

  /** A payload as it is read back. */
  private record Read(long lsn, ByteBuffer bytes) {
    static boolean copy(long lsn, ByteBuffer bytes, List<Read> to) {
      to.add(new Read(lsn, ByteBuffer.allocate(bytes.remaining()).put(bytes).flip()));
      return true;
    }
  }
}
