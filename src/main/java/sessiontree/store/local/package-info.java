/**
 * Sessions kept in a folder, on one write-ahead log. This is the manual of the on-disk format:
 * files, byte layouts, invariants, what a crash can leave, and how recovery handles it.
 *
 * <h2>Files</h2>
 *
 * <pre>
 *   lock                              locked by the process that uses the folder
 *   log/0000000000000001.wal          a segment of the log; the name is the LSN of its first record, in hex
 *   log/checkpoint                    the LSN before which log records may be missing: 8 bytes, checksum
 *   runs/0000000000000001.run         sorted runs, written by one spill or one merge; the name is its number, in hex
 *   sessions/5c/ID.json               a tree file: the bytes that GET returns
 *   sessions/5c/ID.facts              beside a tree file that is over 64 KiB or has named writers: the LSN of the record
 *                                     that ended the session, its number of entries, and its writers
 *   journal/20260301T091244.021337Z.txt  lines of sessions that began or completed; the name is a time that is later than
 *                                     every begun line of the files before it
 *   journal/begun                     when the journal was begun, a time of day: 8 bytes, checksum
 *   clock                             the running time: 8 bytes, checksum
 *   tmp/                              files that are being written; emptied at every start
 * </pre>
 *
 * <p>Integers are big-endian. A checksum is a CRC32C of 4 bytes. <em>LSN</em> is the log sequence
 * number of a record. <em>Running time</em> is the number of milliseconds for which servers have
 * run on the folder. <em>Time of day</em> is in microseconds since 1970. {@code 1+n} is a byte with
 * the length of a text, and its ASCII characters. A <em>bound</em> (SESSION_START or SESSION_END)
 * is 8 bytes of key, 2 of length, and the timestamp's characters. {@link
 * sessiontree.event.Children} defines the layout of children.
 *
 * <h2>Segment</h2>
 *
 * <pre>
 *  header:
 *   16  "sessiontree.wal3"
 *    8  LSN of the first record
 *    4  checksum of the 24 bytes above
 *    4  zero
 *  then records, each:
 *    4  length of the body
 *    4  checksum of the body
 *    body, as the log defines it:
 *    8  LSN: that of the record before it plus one, across segments
 *    8  synced: the offset up to which this segment was durable when the record was written
 *    body, as the store defines it:
 *    1  type. 1: append; 2: probe, which tests whether the disk accepts writes again, and changes nothing;
 *       3: tombstone, which deletes a session and makes its earlier records void
 *    8  running time at which the record was appended
 *  1+n  session id
 *    8  number of records that the session had before this one
 *  1+n  writer; empty if none
 *    8  number of the message among those of that writer
 *    1  flags, added up. 1: a SESSION_START follows; 2: an end follows; 4: the end is the server's; 8: the start has a time
 *       start: its bound, and 8 bytes of time of day when it was appended, which earlier versions left out
 *       end: its bound, and 8 bytes of time of day when it was appended
 *    4  number of children
 *       children, to the end of the body
 * </pre>
 *
 * <p>The newest segment is preallocated: up to 256 KiB of zeros follow its records, so that a force
 * need not extend the file. There are none if the disk has no room for them. New records overwrite
 * the zeros. The rest of them is cut off before the next segment is created, and when the store
 * closes.
 *
 * <p>Example: the log of a store that has taken one message, as number 1 of writer {@code w}, at a
 * running time of 5,000 ms. The message was {@code [{"type":"SESSION_START","timestamp":1569972082,
 * "session_id":"a"},{"type":"EVENT","timestamp":1569972083,"name":"cart_loaded"}]}.
 *
 * <pre>
 *   0000: 73 65 73 73 69 6f 6e 74 72 65 65 2e 77 61 6c 33  sessiontree.wal3
 *   0010: 00 00 00 00 00 00 00 01 19 c4 39 9a 00 00 00 00  ..........9.....
 *   0020: 00 00 00 7a 0a 26 c2 2a 00 00 00 00 00 00 00 01  ...z.&.*........
 *   0030: 00 00 00 00 00 00 00 20 01 00 00 00 00 00 00 13  ....... ........
 *   0040: 88 01 61 00 00 00 00 00 00 00 00 01 77 00 00 00  ..a.........w...
 *   0050: 00 00 00 00 01 09 15 c9 a9 4a 5e e3 f4 00 00 0a  .........J^.....
 *   0060: 31 35 36 39 39 37 32 30 38 32 00 06 5e 2e 93 b6  1569972082..^...
 *   0070: c8 00 00 00 00 01 15 c9 a9 4a 9a 7e be 00 00 00  .........J.~....
 *   0080: 00 20 31 35 36 39 39 37 32 30 38 33 2c 22 6e 61  . 1569972083,"na
 *   0090: 6d 65 22 3a 22 63 61 72 74 5f 6c 6f 61 64 65 64  me":"cart_loaded
 *   00a0: 22 7d                                            "}
 * </pre>
 *
 * <h2>Run file</h2>
 *
 * <pre>
 *  header:
 *   16  "sessiontree.run3"
 *    8  number of the file; a newer file has a greater one
 *    4  0: written by a spill; 1: a merge of all files with lesser numbers, which are no longer needed
 *    4  checksum of the 28 bytes above
 *  runs, one for each session: its children by key, equal keys in the order stored
 *  index, one entry for each session, by id:
 *    4  length of the rest of the entry
 *  1+n  session id
 *    8  LSN up to which the session's log records are in older runs
 *    8  LSN up to which they are in this run or an older one
 *    8  running time at which the record of the latter LSN was appended
 *    8  number of records · 8  number of entries
 *    1  0: open; 1: ended; 2: ended by the server; plus 8 if the start has a time
 *       start, and end if it has one, as in a log record
 *    4  number of writers, and for each: 1+n  name · 8  number of its last message
 *    8  offset of the run · 8  its length · 4  its number of children · 4  its checksum
 *  footer:
 *    8  offset of the index
 *    8  number of index entries
 *    4  checksum of the index
 *    8  zero
 *    4  checksum of the 28 bytes above
 * </pre>
 *
 * <h2>Journal</h2>
 *
 * <p>The journal is ASCII text. It has a line for each session that began, in that order, and a
 * line for each session that completed, in the order in which they were finished:
 *
 * <pre>
 *   2026-03-01T09:12:44.021337Z begun 1 5000 a 4f1c2a90
 *   2026-03-01T09:12:44.141201Z completed 2 5120 a 63069746
 * </pre>
 *
 * <p>A line has the time of day, the LSN of the record that began or ended the session, the running
 * time of that record, the session's id, and the checksum of all this in hex. Anything else is
 * skipped. Times of begun lines ascend, even if the clock was set back. Completed lines are earlier
 * than the names of later files, too, except in the files that a folder without a journal gets. A
 * line is void if a tombstone of its id has a greater LSN, or if the id has neither an open session
 * nor a tree. Pages of a listing are made of begun lines. Sessions that are due for deletion are
 * found in completed lines, from the oldest file on. A purge deletes the files in which it leaves
 * no lines, except the newest.
 *
 * <h2>Invariants</h2>
 *
 * <ul>
 *   <li>A session changes only after a record of it has been forced, and only then does the append
 *       have its result.
 *   <li>Runs, trees and facts are written under tmp/, forced, and only then renamed: a file with
 *       its final name is complete and durable. Facts are renamed before their tree. SESSION_END
 *       has its result when the tree has its final name.
 *   <li>A segment is deleted only when everything in its records is also in a run or tree whose
 *       name is durable. So the folders in which trees were named or removed are synced before.
 *   <li>A run is needed until the name of its session's tree is durable. A run file without a
 *       needed run is deleted.
 *   <li>A journal line is durable before the last segment or run that holds the session's start or
 *       end is deleted. Until then the line waits in memory, and recovery adds it again if it is
 *       missing. The lines of a deleted session are durably removed from the journal before its
 *       tombstone leaves the log.
 *   <li>A deletion has its result when its tombstone has been forced and the tree is unlinked.
 *       Everything that is stored under the id later follows the tombstone in the log. So the
 *       tombstone's segment is deleted only when the unlinking is durable, and when the run files
 *       have been rewritten without the runs that are no longer needed, if they had any.
 *   <li>A session's runs are ordered by age. The spill thread begins each merge, between two
 *       spills. So a merge takes in all files with lesser numbers than its own, and children keep
 *       the order stored.
 * </ul>
 *
 * <p>A tree's tag is its version, as clients see it. It begins with the LSN of the record that
 * ended the session if the tree is over 64 KiB, or else with a hash of the tree. So two different
 * trees never share a tag, whatever the clock does. The tree file's time follows, so that a later
 * tree of the same bytes has another tag, provided that the clock has advanced.
 *
 * <h2>What a crash can leave, and what recovery does</h2>
 *
 * <table>
 *   <caption>In the order of the steps</caption>
 *   <tr><td>while a segment is created<td>A newest segment with an incomplete header, so without records: it is deleted.
 *   <tr><td>while a group is written<td>A torn tail of the newest segment, or zeros: cut off, as nothing in it was acknowledged.
 *       If a later valid record says that this offset was already durable, it is not a torn tail but damage.
 *   <tr><td>after a force<td>Records whose sessions were not changed: they are replayed.
 *   <tr><td>while a run file is written<td>A file in tmp/: deleted.
 *   <tr><td>after a run file is renamed<td>A run file, and the same data in the log: log records up to the LSN of the index entry
 *       are skipped. If the spill seemed to fail and was repeated, the later run covers the earlier one, which is dropped.
 *   <tr><td>after run files are merged<td>The merged file, and some files with lesser numbers: these are deleted.
 *   <tr><td>while a tree is written or forced<td>Files in tmp/: deleted, and the tree is made anew from log and runs. The same
 *       happens if only the facts have their final name.
 *   <tr><td>after a tree is renamed<td>A tree, and all its records in log and runs: the session is complete, and the records are
 *       skipped. Loss of power may undo the rename of both, or of the facts alone: then the tree is made anew.
 *   <tr><td>after the tree's folder is synced<td>A tree, and some of its runs and log records: they are skipped, as the tree exists.
 *   <tr><td>while journal lines are added<td>Some of the lines, the last one torn: the newest file is rewritten with its complete
 *       lines. Missing lines are added again from log and runs.
 *   <tr><td>while a journal file is rewritten<td>A file in tmp/: deleted.
 *   <tr><td>while segments are deleted<td>Some of the segments before the checkpoint: deleted.
 * </table>
 *
 * <p>Anything else stops the start with a message that names the file and, if there is one, the
 * offset: a damaged record; a segment, run file or record that is missing between others; a damaged
 * index. Then a person must look. A newest segment that is missing, or a run file with all that is
 * stored of its sessions, is not noticed.
 *
 * <p>Before recovery derives anything from the files, it syncs the directories of log and runs, and
 * writes and forces the bytes of the newest segment again: if the last process ended just after a
 * rename or a failed force, names and bytes can be read although they are not on disk. A tree that
 * can be read is on disk, but its name may not be: its folder is synced before any data is deleted
 * that the tree replaces. Recovery reads the indexes of the run files, the log, and the facts of
 * sessions whose end is in the log. It reads neither runs nor trees.
 *
 * <p>Replaying a tombstone removes whatever was found of its id so far: in runs, in the log, and as
 * a tree, whichever session made it; records of a later session of the id all follow the tombstone.
 * So a tree that exists when an end is replayed is either the tree of that session, or the log has
 * a tombstone between the two sessions. If that tombstone comes before the end, it has already
 * removed the older tree. If it comes after the end, it will remove the newer tree, which is then
 * made anew from its own records. If a session lacks some of its runs or its first log records, its
 * tree must exist or a tombstone must follow; otherwise the start is refused.
 *
 * <p>A folder without {@code journal/begun} is new, or was written by an earlier version. Its trees
 * make the first lines of the journal: each session began at the timestamp of its SESSION_START,
 * but not after its file's time, and is complete from now on. Open sessions without a start time
 * count as begun now. Trees of sessions whose end is in the log are removed and made anew, as the
 * earlier version may have named trees before they were durable.
 *
 * <h2>Damage and purges</h2>
 *
 * <p>A damaged run, tree or facts file affects one session. The store logs the damage once, when it
 * finds it; the server also logs each read that fails because of it. That session's tree is not
 * served, the session is not listed and takes no messages, but it can be deleted. Nothing else
 * waits for it, and health does not change. A damaged run is noticed when its session is finished
 * or when run files are merged; a merge copies its bytes as they are, under a checksum that stays
 * wrong. An ended session that is damaged stays in the log, or is spilled like any other, so the
 * log need not wait for it; each start finds the damage again. Only a person repairs damage, by
 * putting a file from a backup in place while no server runs.
 *
 * <p>Five minutes after the first tombstone, the active segment is sealed and a checkpoint is made
 * up to its end, so that deleted data leaves the disk. After a start with tombstones in the log
 * this happens at once.
 *
 * <h2>Threads</h2>
 *
 * <table>
 *   <caption>Each thread, and what it alone may do</caption>
 *   <tr><td>log<td>writes and forces the log, changes sessions, seals segments
 *   <tr><td>spill<td>writes run files and begins their merges, makes checkpoints, deletes segments, purges deleted data
 *   <tr><td>finish<td>writes, forces and publishes trees, on up to 32 threads; removes the trees of deleted sessions
 *   <tr><td>merge<td>finishes sessions that have runs, and merges run files, one after another
 *   <tr><td>callbacks<td>runs the callbacks of appends; a few at a time are run by log, finish and merge themselves
 *   <tr><td>retry<td>retries failed tasks, checks that the log is in its place, writes the clock
 * </table>
 *
 * <p>A thread that holds a lock in the left column takes no locks but those to the right of it, and
 * runs no callback:
 *
 * <pre>
 *   Runs.merging     while run files are merged      then LocalSession, or Runs
 *   DueLines         while due lines are looked for  then Journal
 *                    or the journal is purged
 *   Journal          while lines are forced          then Journal.pending
 *   LocalSession, Runs, Journal.pending, TreeCache, Checkpointer, Callbacks, GroupCommit.queueLock,
 *   SealedSegments, RunningTime, RunningClock        none
 * </pre>
 *
 * <h2>Failures</h2>
 *
 * <p>A failed write or force, for example on a full disk, changes nothing. The segment is reopened,
 * its records are verified, and the log is durably cut back to the last commit. Only then is the
 * group refused: otherwise a crash could bring back records that were refused and sent again.
 * Results wait until the log can be cut back. A tree whose force failed is deleted before it has
 * its final name, and made anew from log, buffers and runs: a second force of the same file might
 * succeed and mean nothing.
 *
 * <h2>Bounds</h2>
 *
 * <ul>
 *   <li>Children in memory: {@code memoryBytes}, plus one group of appends, which is at most an
 *       eighth of that or one append. Spills begin at three quarters of it. At the bound the log
 *       thread waits.
 *   <li>Sorting a buffer: another 32 bytes a child, for the buffer that is being spilled and for
 *       each one that is being finished.
 *   <li>Reading runs: 4 MiB, and one child, for each session that is being read or merged.
 *   <li>Cache of small trees: an eighth of {@code memoryBytes}.
 *   <li>Sealed segments: {@code logBytes}. Checkpoints begin at three quarters of it, and leave
 *       half.
 *   <li>Ids of deleted sessions in memory: one for each KiB of {@code memoryBytes}, or 1,000.
 *       Beyond that the journal is rewritten without them.
 *   <li>Runs of a session: one in each run file. If there are more run files than the fan-in, or if
 *       they have over 1 MiB in all and less than half of it is needed, everything needed is
 *       rewritten into one. So needed data is rewritten once for each fan-in of spills.
 * </ul>
 *
 * <h2>Assumptions</h2>
 *
 * <p>fdatasync(2) makes a file's bytes and length durable. rename(2) is atomic. A rename or a new
 * file is durable once its directory has been synced. Durable data does not change as long as the
 * disk is sound. A failed write-back makes the file's next fdatasync fail, unless an earlier one
 * did (Linux since 4.17, while the inode is in memory). Only one process at a time uses the folder;
 * a file lock ensures it.
 *
 * <p>Sources: the log follows LevelDB's and etcd's; on what a failed force means, see Rebello and
 * others, "Can Applications Recover from fsync Failures?" (USENIX ATC 2020); runs and their merges
 * are a log-structured merge tree (O'Neil and others, 1996) of one level.
 */
package sessiontree.store.local;
