package sessiontree.store.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import sessiontree.store.Expirable.Seen;
import sessiontree.store.log.Disk;
import sessiontree.store.log.FaultyDisk;

/** A journal on a disk that fails, and that loses what was not forced. */
class JournalTest {
  private static final Path FOLDER = Path.of("journal");
  private static final int FILE_BYTES = 1 << 10;
  private static final long BEGUN = 1_700_000_000_000_000L;

  private FaultyDisk disk = FaultyDisk.create(new Random(1));

  private Journal open() throws IOException {
    for (Path left : disk.list(Path.of("tmp"))) { // as the store does
      disk.delete(left);
    }
    Journal journal = Journal.open(disk, FOLDER, Path.of("tmp"), FILE_BYTES);
    if (journal.isNew()) {
      journal.begin(BEGUN - 1, to -> {});
    }
    return journal;
  }

  /** Returns a journal with the lines of a range of records; record 1 is of session s1, etc. */
  private Journal written(int from, int to) throws IOException {
    Journal journal = open();
    journal.recovered();
    add(journal, from, to);
    journal.force();
    return journal;
  }

  private static void add(Journal journal, int from, int to) throws IOException {
    for (int i = from; i < to; i++) {
      journal.add(completed(i));
      journal.forceIfMuch();
    }
  }

  private static JournalLine completed(int i) {
    return JournalLine.completed(BEGUN + i, i, i * 1000L, "s" + i);
  }

  private Path newest() throws IOException {
    List<Path> files = disk.list(FOLDER);
    return files.get(files.size() - 2); // the last is journal/begun
  }

  private static List<String> due(Journal journal) throws IOException {
    return journal
        .endedBefore(
            Long.MAX_VALUE, 1000, line -> journal.isDeleted(line) ? null : new Seen(line.id(), ""))
        .stream()
        .map(Seen::id)
        .toList();
  }

  private static List<String> ids(int from, int to) {
    return IntStream.range(from, to).mapToObj(i -> "s" + i).toList();
  }

  private String text(Path file) throws IOException {
    try (Disk.DiskFile from = disk.open(file)) {
      ByteBuffer bytes = ByteBuffer.allocate((int) from.size());
      from.read(bytes, 0);
      return new String(bytes.array(), StandardCharsets.US_ASCII);
    }
  }

  private void write(Path file, String text) throws IOException {
    try (Disk.DiskFile to = disk.create(file)) {
      to.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)), 0);
    }
  }

  @Test
  void line_isReadableText() throws Exception {
    written(7, 8);
    assertThat(newest()).hasFileName("20231114T221320.000008Z.txt");
    assertThat(text(newest()))
        .matches("2023-11-14T22:13:20\\.000007Z completed 7 7000 s7 [0-9a-f]{8}\n");
  }

  /** Only the last line can be torn; whichever line is damaged, the others are used. */
  @Test
  void newestFile_cutAnywhereOrDamaged_losesTheLinesThatAreConcerned_andIsGoneOnWith()
      throws Exception {
    written(1, 4);
    Path newest = newest();
    String sound = text(newest);
    for (int at = 0; at < sound.length(); at++) {
      int line = (int) sound.substring(0, at).chars().filter(c -> c == '\n').count();
      write(newest, sound.substring(0, at));
      Journal cut = written(4, 5);
      List<String> left = new ArrayList<>(ids(1, 1 + line));
      left.add("s4");
      assertThat(due(cut)).as("cut at %d", at).isEqualTo(left);

      write(newest, sound.substring(0, at) + "?" + sound.substring(at + 1));
      List<String> others = new ArrayList<>(ids(1, 5));
      others.remove("s" + (line + 1));
      if (sound.charAt(at) == '\n' && line < 2) { // then the line runs into the next one
        others.remove("s" + (line + 2));
      }
      assertThat(due(written(4, 5))).as("damaged at %d", at).isEqualTo(others);
      write(newest, sound);
    }
  }

  @Test
  void lines_survive_whereAStepFailed_andIsDoneAgain() throws Exception {
    for (int fails = 0; fails < 4; fails++) {
      disk = FaultyDisk.create(new Random(fails));
      Journal journal = open();
      journal.recovered();
      add(journal, 1, 3);
      disk.failAt(fails, 1); // create, write, force, sync
      assertThatIOException().isThrownBy(journal::force);
      journal.add(completed(3));
      journal.force();
      disk = disk.losePower();
      assertThat(due(open())).as("%d", fails).isEqualTo(ids(1, 4));
    }
  }

  /** Readable bytes of the newest file may not be on disk, and a second force may not report it. */
  @Test
  void lines_thatAFailedForceLeft_beforeAKill_areOnTheDiskAfterTheNextStart() throws Exception {
    Journal journal = written(1, 3);
    add(journal, 3, 5);
    disk.failAt(1, 1);
    assertThatIOException().isThrownBy(journal::force);
    disk = disk.kill();
    open();
    disk = disk.losePower();
    assertThat(due(open())).isEqualTo(ids(1, 5));
  }

  @Test
  void lineThatRecoveryAddsAgain_isThereOnce_howeverFarBack() throws Exception {
    written(1, 100);
    assertThat(disk.list(FOLDER)).hasSizeGreaterThan(4);
    Journal again = open();
    add(again, 1, 120);
    again.recovered();
    again.force();
    assertThat(due(again)).isEqualTo(ids(1, 120));
  }

  @Test
  void deletedIds_leaveAllFiles_andTheirNextSessionsStay() throws Exception {
    Journal journal = written(1, 100);
    for (int i : new int[] {1, 50, 99}) {
      journal.delete("s" + i, 100 + i);
    }
    journal.add(JournalLine.completed(BEGUN + 300, 300, 300_000, "s50"));
    List<String> left = new ArrayList<>(ids(2, 99));
    left.remove("s50");
    left.add("s50");
    assertThat(due(journal)).isEqualTo(left);
    journal.purge();
    assertThat(journal.deletions()).isZero();
    disk = disk.losePower();
    assertThat(due(open())).isEqualTo(left);
    for (Path file : disk.list(FOLDER)) {
      assertThat(text(file)).doesNotContain(" s1 ", " s99 ");
    }
  }

  @Test
  void lines_areAddedInTheirPlace_whereAPurgeFailed() throws Exception {
    for (int fails = 0; fails < 5; fails++) {
      disk = FaultyDisk.create(new Random(fails));
      Journal journal = written(1, 5);
      journal.delete("s2", 100);
      disk.failAt(fails, 1); // create, write, force, rename, sync
      assertThatIOException().isThrownBy(journal::purge);
      add(journal, 5, 7);
      journal.force();
      journal.purge();
      disk = disk.losePower();
      assertThat(due(open())).as("%d", fails).containsExactly("s1", "s3", "s4", "s5", "s6");
    }
  }

  @Test
  void filesOfWhichNothingIsLeft_areDeletedByAPurge_butTheNewest() throws Exception {
    Journal journal = written(1, 100);
    assertThat(due(journal)).isEqualTo(ids(1, 100));
    add(journal, 100, 101);
    journal.delete("s100", 101);
    journal.force();
    Path newest = newest();
    for (int i = 1; i < 100; i++) {
      if (i != 40) {
        journal.delete("s" + i, 100);
      }
    }
    assertThat(due(journal)).containsExactly("s40");
    journal.purge();
    assertThat(due(journal)).containsExactly("s40");
    assertThat(disk.list(FOLDER)).hasSize(3).contains(newest);
    add(journal, 101, 102);
    assertThat(due(journal)).containsExactly("s101", "s40");
    assertThat(due(open())).containsExactly("s40", "s101");
  }

  /** Returns the ids of the begun lines after a position, in order. */
  private static List<String> visited(Journal journal, boolean newestFirst, String after)
      throws IOException {
    List<String> ids = new ArrayList<>();
    journal.visit(newestFirst, after, line -> ids.add(line.id()));
    return ids;
  }

  @Test
  void beginnings_areVisitedInEitherOrder_fromAnywhere_forcedOrNot_andAfterARestart()
      throws Exception {
    Journal journal = open();
    journal.recovered();
    for (int i = 1; i < 100; i++) {
      journal.addNew(JournalLine.begun(BEGUN + 2L * i, i, i, "s" + i));
      if (i % 3 == 0) { // of a session begun long before
        journal.add(JournalLine.completed(BEGUN + 2L * i + 1, i, i, "s" + i / 2));
      }
      if (i < 90) {
        journal.forceIfMuch();
      }
    }
    assertThat(disk.list(FOLDER)).hasSizeGreaterThan(5);
    assertVisited(journal);
    journal.force();
    disk = disk.losePower();
    assertVisited(open());
  }

  private static void assertVisited(Journal each) throws IOException {
    for (int i = 0; i <= 100; i++) {
      String after = JournalLine.position(JournalLine.time(BEGUN + 2L * i), "s" + i);
      assertThat(visited(each, false, after)).as("%d", i).isEqualTo(ids(i + 1, 100));
      List<String> before = new ArrayList<>(ids(1, Math.max(1, i)));
      Collections.reverse(before);
      assertThat(visited(each, true, after)).as("%d", i).isEqualTo(before);
    }
    assertThat(visited(each, false, null)).isEqualTo(ids(1, 100));
    assertThat(visited(each, true, null)).hasSize(99).startsWith("s99", "s98");
  }

  @Test
  void startThatIsCutOff_whileTheFirstJournalIsMade_beginsItAnew() throws Exception {
    for (int fails = 0; fails < 12; fails++) {
      disk = FaultyDisk.create(new Random(fails));
      disk.createDirectories(FOLDER);
      write(FOLDER.resolve("0000000000000001.txt"), "of another format");
      disk.failAt(fails, 1);
      try {
        begun();
      } catch (IOException e) {
        disk = disk.losePower();
      }
      assertThat(visited(begun(), false, null)).as("%d", fails).isEqualTo(ids(1, 60));
      assertThat(disk.list(FOLDER)).noneMatch(file -> file.toString().contains("000000000001.txt"));
    }
  }

  @Test
  void linesOfAJournalThatJustBegan_stay_howeverLateTheyAre() throws Exception {
    Journal journal = Journal.open(disk, FOLDER, Path.of("tmp"), FILE_BYTES);
    journal.begin(
        BEGUN,
        to -> {
          for (int i = 1; i < 60; i++) { // begun when the journal was, and counted on from there
            to.line(JournalLine.begun(BEGUN + i, 0, i, "s" + i));
          }
        });
    journal.recovered();
    add(journal, 1, 2);
    journal.force();
    add(journal, 2, 3);
    journal.force();
    assertThat(visited(journal, false, null)).isEqualTo(ids(1, 60));
    assertThat(visited(open(), false, null)).isEqualTo(ids(1, 60));
  }

  /** Lines of earlier sessions have the log's last LSN, whichever session its record is of. */
  @Test
  void lineOfTheLastRecordBeforeTheJournalBegan_isAdded() throws Exception {
    Journal journal = Journal.open(disk, FOLDER, Path.of("tmp"), FILE_BYTES);
    journal.begin(
        BEGUN + 100,
        to -> {
          to.line(JournalLine.begun(BEGUN + 1, 9, 9_000, "s1"));
          to.line(JournalLine.completed(BEGUN + 2, 9, 9_000, "s1"));
        });
    journal.add(completed(9));
    journal.recovered();
    assertThat(due(journal)).containsExactly("s1", "s9");
  }

  private Journal begun() throws IOException {
    Journal journal = Journal.open(disk, FOLDER, Path.of("tmp"), FILE_BYTES);
    if (journal.isNew()) {
      journal.begin(
          BEGUN + 100,
          to -> {
            for (int i = 1; i < 60; i++) {
              to.line(JournalLine.begun(BEGUN + i, 0, i, "s" + i));
              to.line(completed(i));
            }
          });
    }
    return journal;
  }
}
