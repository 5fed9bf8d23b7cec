/**
 * Sessions kept in a folder, on one write-ahead log. This is the manual of what lies on the disk.
 *
 * <h2>Files</h2>
 *
 * <pre>
 *   lock                              held by the process that uses the folder
 *   log/0000000000000001.wal          a segment of the log; the name is the number of its first record, in hex
 *   log/checkpoint                    records before this number may be missing from the log
 *   runs/0000000000000001.run         sorted runs that one spill wrote, or one merge; the name is its number, in hex
 *   sessions/5c/ID.json               a tree: the bytes that GET answers
 *   sessions/5c/ID.facts              beside a tree that has named writers, or more than 64 KiB: the number of the
 *                                     record that ended it, its entries, its writers
 *   journal/20260301T091244.021337Z.txt  lines of sessions that were begun or completed; the name is a time: all lines of
 *                                     files before it are earlier
 *   journal/begun                     when the journal was begun, in microseconds since 1970: 8 bytes, checksum
 *   clock                             for how many milliseconds servers have run on the folder: 8 bytes, checksum
 *   tmp/                              files that are being written; emptied at every start
 * </pre>
 *
 * <p>Numbers are big-endian. A checksum is CRC32C. A <em>bound</em> (SESSION_START or SESSION_END)
 * is 8 bytes of key, 2 of length, and the timestamp's characters. Children lie as {@link
 * sessiontree.event.Children} says.
 *
 * <h2>Segment</h2>
 *
 * <pre>
 *   16  "sessiontree.wal3"
 *    8  number of the first record
 *    4  checksum of these 24 bytes
 *    4  zero
 *  then records, one after another:
 *    4  length of the body
 *    4  checksum of the body
 *    body:
 *    8  log sequence number; each record has that of the one before it and one more, across segments
 *    8  synced: the offset in this segment before which all was durable when the record was written
 *       so far the log knows; the rest is the store's:
 *    1  1: an append, 2: a probe, which finds out whether the disk takes anything again and changes nothing,
 *       3: a tombstone, which deletes a session: its records before this one count no more
 *    8  when it was appended, in milliseconds that servers have run on the folder
 *  1+n  session id
 *    8  how many records the session had before this one
 *  1+n  writer; empty for none
 *    8  the message's number of that writer
 *    1  1: a SESSION_START follows, 2: an end follows, 3: both; and 4 if the end is the server's, 8 if the start has a time
 *       the start's bound, and 8 bytes of microseconds since 1970: when it was appended; none of an earlier version's
 *       the end's bound, and 8 bytes of microseconds since 1970: when it was appended
 *    4  number of children
 *       children, to the end of the body
 * </pre>
 *
 * <p>Behind the records of the newest segment stand up to 256 KiB of zeros, so that a force need
 * not make the file longer; none where the disk has no room for them. Records take their place.
 * What is left of them is cut off before another segment is made, and when the store closes.
 *
 * <p>The log of a store that took one message, {@code
 * [{"type":"SESSION_START","timestamp":1569972082,
 * "session_id":"a"},{"type":"EVENT","timestamp":1569972083,"name":"cart_loaded"}]}, as number 1 of
 * writer w, in the sixth second:
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
 *   16  "sessiontree.run3"
 *    8  its number: the files' order of age
 *    4  0: a spill, 1: a merge of all files with lesser numbers, which are not needed any more
 *    4  checksum of these 28 bytes
 *       a run a session: its children by key, equal keys in the order stored
 *       index, an entry a session, by id: 4 bytes of length, then
 *         1+n id · 8 its log records up to this one are in older runs · 8 and up to this one in this run
 *         8 when that was appended · 8 records · 8 entries
 *         1 0: open, 1: ended, 2: ended by the server; and 8 if the start has a time · bounds as above
 *         4 writers, each 1+n name and 8 number
 *         8 offset, 8 length, 4 children, 4 checksum of its run
 *    8  offset of the index
 *    8  entries of the index
 *    4  checksum of the index
 *    8  zero
 *    4  checksum of these 28 bytes
 * </pre>
 *
 * <h2>Journal</h2>
 *
 * <p>Lines of ASCII, one for each session that was begun, in their order, and one for each that was
 * completed, in the order in which they were finished:
 *
 * <pre>
 *   2026-03-01T09:12:44.021337Z begun 1 5000 a 4f1c2a90
 *   2026-03-01T09:12:44.141201Z completed 2 5120 a 63069746
 * </pre>
 *
 * <p>When that was by the clock; the number of the log record that did it; when it was, in
 * milliseconds that servers have run on the folder; the session's id; and the checksum of all this,
 * in hex. What is no such line is passed over. The times of beginnings ascend, also where the clock
 * was set back. A line is of what is stored unless a tombstone of its id has a greater number, or
 * there is neither an open session nor a tree. Pages are made of beginnings; what is due is read
 * from completions, from the oldest file on. Files that a purge leaves without lines go, but not
 * the newest.
 *
 * <h2>Invariants</h2>
 *
 * <ul>
 *   <li>An append has its result when its record has been forced. Then the session changes, and
 *       nothing else ever changes it.
 *   <li>Runs, trees and facts are written under tmp/, forced, and only then renamed: a file that
 *       has its name is whole and durable. Facts are renamed before their tree. SESSION_END has its
 *       result when the tree has its name.
 *   <li>What a log record holds is in a run, or in a tree, whose name is durable, before its
 *       segment is deleted: the folders in which trees were named or removed are synced before
 *       that.
 *   <li>A run is needed until the name of its session's tree is durable. A run file that nobody
 *       needs is deleted.
 *   <li>A line is durable before the last segment or run goes that holds its beginning or its end:
 *       until then it waits in memory, and recovery adds it again, unless it is there. The lines of
 *       a session leave the journal, durably, before its tombstone leaves the log.
 *   <li>A deletion has its result when its tombstone has been forced and the tree is unlinked. All
 *       that is stored under its id later lies behind the tombstone in the log. So the tombstone's
 *       segment is deleted only when the unlinking is durable, and the run files, if they have
 *       anything that nobody needs, were rewritten without it.
 *   <li>A session's runs are ordered by age. The thread that spills begins each merge, between two
 *       spills: so a merge takes in all files with lesser numbers than its own, and the order
 *       stored is kept.
 * </ul>
 *
 * <p>A tree's tag is what identifies it to everybody. Of a tree of more than 64 KiB it is the
 * number of the record that ended the session, of a smaller one a hash of its bytes: so two trees
 * that differ never share a tag, whatever the clock does. The time of the file follows, so that a
 * tree that was made anew, byte for byte, has another where the clock goes on.
 *
 * <h2>What a crash can leave, and what recovery does</h2>
 *
 * <table>
 *   <caption>In the order of the steps</caption>
 *   <tr><td>while a segment is made<td>a newest segment without a whole header, and so without records: deleted
 *   <tr><td>while a group is written<td>a torn tail of the newest segment, and zeros: cut off, as nothing in it was acknowledged. It
 *       is no torn tail, but damage, if a sound record stands behind it that was written when it was durable
 *   <tr><td>after a force<td>records whose sessions were not changed: replayed
 *   <tr><td>while a run file is written<td>a file in tmp/: deleted
 *   <tr><td>after its rename<td>a run file, and the same in the log: the log's records up to the entry's number are passed
 *       over. If the spill seemed to fail, and came again, the later run covers the earlier one, which goes
 *   <tr><td>after run files were merged<td>the merged file, and some with lesser numbers: these are deleted
 *   <tr><td>while a tree is written or forced<td>files in tmp/: deleted, and the tree is made anew from log and runs. The same
 *       if only the facts have their name
 *   <tr><td>after the rename of a tree<td>a tree, and all its records in log and runs: the session is complete, and the records
 *       are passed over. Loss of power may take the name back, or that of the facts alone: then it is made anew
 *   <tr><td>after its folder was synced<td>a tree, and some of its runs and log records: passed over, as there is a tree
 *   <tr><td>while lines are added<td>some lines, the last of them torn: the newest file is written anew, with those that are whole.
 *       Those that are missing are added when their ends are found in log and runs
 *   <tr><td>while a file of the journal is rewritten<td>a file in tmp/: deleted
 *   <tr><td>while segments are deleted<td>any of those before the checkpoint: deleted
 * </table>
 *
 * <p>A folder whose journal was not begun is an earlier version's, or new. The trees that it has
 * are the first lines of its journal: begun when their start says, but not after their file's time;
 * complete from now on. Sessions that are open were begun now. Trees of sessions that ended in its
 * log are removed, and made anew, as that version may have named trees before they were durable.
 *
 * <p>Anything else stops the start with a message that names the file and, where there is one, the
 * offset: a damaged record, a segment, a run file or a record that is missing, a damaged index.
 * Then a person must look.
 *
 * <p>A damaged run, tree or facts file is the trouble of one session, which the log names once. Its
 * tree is not served, it is not listed, takes nothing, and can be deleted; nothing else waits for
 * it, and it does not change the health. A damaged run is noticed when its session is finished, or
 * when run files are merged: its bytes are copied as they are, and its checksum stays wrong. A
 * session that has ended and is damaged stays in the log or, spilled as any other, in run files, so
 * the log need not wait for it; each start finds the damage again. What is damaged is repaired by
 * nobody but a person, who puts the file of a backup there while no server runs.
 *
 * <p>Recovery reads the indexes of the run files, the log, and the facts of sessions that ended in
 * it; not the runs, and no tree. Before anything is made of them, the directories of log and runs
 * are synced, and the bytes of the newest segment are written and forced once more: what was named,
 * or what a force failed for, just before the process ended can be read, and is yet not on the
 * disk. A tree that can be read is on the disk, but perhaps not its name: its folder is synced
 * before anything goes that the tree stands for.
 *
 * <p>A tombstone in the log removes what was found of its session so far, in runs, in the log and
 * as a tree, whatever session made that tree: what the id may be now is all behind it. So the tree
 * that is there when an end is replayed is that session's, or there is a tombstone between the two,
 * which is replayed as well: one before the end has removed an older tree by then, one behind it
 * will remove a younger one, which is then made anew from its own records. Of a session that the
 * runs have only in part, or that the log has only later records of, the tree must be there, unless
 * a tombstone comes; or the start is refused.
 *
 * <p>Five minutes after the first tombstone the active segment is sealed, and a checkpoint made up
 * to it; after a start with tombstones in the log at once. So what was deleted leaves the disk.
 *
 * <h2>Threads</h2>
 *
 * <table>
 *   <caption>Each thread, and what it alone may do</caption>
 *   <tr><td>log<td>writes and forces the log, changes sessions, seals segments
 *   <tr><td>spill<td>writes run files and begins their merges, makes checkpoints, deletes segments, purges deleted data
 *   <tr><td>finish<td>writes, forces and names trees, up to 32 at a time; removes the trees of deleted sessions
 *   <tr><td>merge<td>finishes sessions that have runs, and merges run files, one after another
 *   <tr><td>callbacks<td>runs the callbacks of appends; where these are few at a time, the threads log, finish and merge
 *       do it in its place
 *   <tr><td>retry<td>starts again what failed, looks for the log's file, writes the clock
 * </table>
 *
 * <p>A thread that holds a lock takes only one that stands behind it here, and calls back nobody:
 *
 * <pre>
 *   Runs.merging     while run files are merged      then LocalSession, or Runs
 *   DueLines         while due lines are looked for  then Journal, or TreeCache
 *   Journal          while lines are forced          then Journal.pending
 *   LocalSession, Runs, Journal.pending, TreeCache, Checkpointer, Callbacks, GroupCommit.queueLock,
 *   WriteAheadLog.sealed                             none
 * </pre>
 *
 * <h2>Failures</h2>
 *
 * <p>A write that fails, on a full disk say, changes nothing: the log is cut back to the last
 * commit, durably, and only then the group is refused, as a crash might bring back what was refused
 * and sent again. After a failed force the segment is opened anew, and its records verified, before
 * that. Until the log can be cut back, results wait. A tree of which a force failed is thrown away
 * before it has a name, and made anew from what log, buffers and runs hold: another force of the
 * same file might succeed, and mean nothing.
 *
 * <h2>Bounds</h2>
 *
 * <p>Children in memory: {@code memoryBytes}, and one group of appends, of an eighth of that unless
 * it is one append; the log thread waits at the bound. What runs are read through: 4 MiB for each
 * session that is read or merged, and one child. Spills begin at three quarters of it. To bring a
 * buffer into order takes 32 bytes a child more, for the one that is being spilled and each one
 * that is being finished. Small trees that were read: an eighth of {@code memoryBytes}. Sealed
 * segments: {@code logBytes}; checkpoints begin at three quarters of it, and leave half. Ids of
 * deleted sessions: one for each KiB of {@code memoryBytes}, or 1,000; then the journal is
 * rewritten without them. A session has at most one run in each run file. When there are more of
 * these than the fan-in, all that is needed of them is rewritten into one; so it is if they have
 * more than 1 MiB together, and less than half is needed. What is needed is so written once more
 * for each fan-in of spills.
 *
 * <h2>Assumptions</h2>
 *
 * <p>fdatasync(2) makes a file's bytes and length durable. rename(2) is atomic; it and the making
 * of a file are durable when their directory was synced. What was made durable stays what it was
 * while the disk is sound. What could not be written back makes the next fdatasync fail, of the
 * file, if none before did (Linux since 4.17, while it has the inode in memory). One process at a
 * time: a lock of the file system ensures it.
 *
 * <p>Sources: the log follows LevelDB's and etcd's; on what a failed force means, see Rebello and
 * others, "Can Applications Recover from fsync Failures?" (USENIX ATC 2020); runs and their merges
 * are a log-structured merge tree (O'Neil and others, 1996) of one level.
 */
package sessiontree.store.local;
