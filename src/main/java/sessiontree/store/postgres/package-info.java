/**
 * A store on a PostgreSQL that several servers share: the same promises as those of a folder, with
 * no local state. This is its manual; {@code schema.sql} has the tables.
 *
 * <h2>A session's rows</h2>
 *
 * {@code session} has one row per session. {@code born} is its number, which is never given again,
 * so the same id after a deletion is another session; a tree's tag is {@code born} in base 36.
 * {@code phase} is 1 while the session is open, 2 once it has its SESSION_END, and 3 once its tree
 * can be read. {@code seq} counts appends: an append says which value it expects, and changes
 * nothing if the row has another. {@code entry} has the children of open sessions, laid out as in
 * {@link sessiontree.event.Children}, one row for all that a session got in one group. {@code
 * before} counts the children in earlier rows, so a read can resume anywhere and notices a gap.
 * {@code tree} has the trees of complete sessions in parts of 256 KiB. {@code writer} has the last
 * number of each named writer.
 *
 * <h2>An append</h2>
 *
 * <ol>
 *   <li>{@link sessiontree.store.postgres.PostgresSession#append} queues the append in the lane of
 *       the session's id. A server has two {@link sessiontree.store.postgres.Lane lanes}, each with
 *       a thread and a connection.
 *   <li>The lane takes everything queued as one {@link sessiontree.store.postgres.Group}, in which
 *       successive appends to a session are one change of its row. {@link
 *       sessiontree.store.postgres.AppendStatement One statement} with one commit stores the group;
 *       what is queued meanwhile is the next group.
 *   <li>The statement returns which changes found another sequence, as another server was first.
 *       Those rows are read, and {@link sessiontree.store.postgres.Outcomes} gives the results:
 *       stored, or outdated with the row that is there, against which the {@code session} package
 *       checks the messages again. An append of nothing gets its result from a read of the row
 *       after the group.
 * </ol>
 *
 * <h2>The fence</h2>
 *
 * A statement is in doubt if its connection breaks, its reply does not come within ten seconds, or
 * its commit comes with a warning: it may be stored, or may be stored later. To find out, each lane
 * has a row in {@code lane}:
 *
 * <ul>
 *   <li>The statement first locks that row, and does nothing unless the row has the lane's epoch.
 *       It ends by writing its number and its outdated changes into the row, in the same commit: so
 *       the row tells the whole outcome, whatever other servers have done to the sessions since.
 *   <li>The lane reconnects, trying every second, and increments the epoch. That waits for a
 *       statement that still holds the row, and for the standbys, so what the row says then is
 *       final. A statement of the old epoch that arrives even later does nothing.
 *   <li>If the row has the group's number, the group is stored; otherwise it is not, and is sent
 *       again.
 * </ul>
 *
 * Meanwhile, appends to other sessions of the lane are refused at once, as they were certainly not
 * sent. After eight seconds the group's appends get the result {@code unknown}, and the lane goes
 * on trying. No statement has a timeout of the driver's ({@code setQueryTimeout}): it would turn a
 * commit that waits for the standbys into a success.
 *
 * <h2>The end</h2>
 *
 * An append with SESSION_END sets phase 2, and gets its result when the phase is 3. The {@link
 * sessiontree.store.postgres.Finisher} of the same server reads the entries of all sessions that
 * ended meanwhile, sorts them, and publishes their trees in one statement. A large session goes
 * through {@link sessiontree.sort.ExternalSort} into parts with a commit each; the last commit sets
 * phase 3. A server renews {@code claimed} while it makes a tree. A session that was not claimed
 * for ten seconds is taken over by another server. Two servers that finish the same session do no
 * harm, as its entries do not change any more and phase 3 is set only once. A session whose tree
 * cannot be written, such as one with missing entries, is logged once; its server keeps the claim
 * and retries every second, until the session is deleted.
 *
 * <p>{@link sessiontree.store.postgres.Awaiting} counts the entries of a session whose results
 * still wait when its row is looked up, once for each server. If some are missing, the results say
 * that there is no tree.
 *
 * <h2>What a crash can leave</h2>
 *
 * <table>
 *   <caption>By the moment</caption>
 *   <tr><th>the server dies</th><th>what is left</th><th>who goes on</th></tr>
 *   <tr><td>before the statement's commit</td><td>nothing of the group</td>
 *     <td>the client sends the message again, under its number</td></tr>
 *   <tr><td>after that commit</td><td>the whole group</td>
 *     <td>the client learns from the number that it is stored</td></tr>
 *   <tr><td>after SESSION_END</td><td>phase 2, maybe parts of the tree</td>
 *     <td>any server, ten seconds later</td></tr>
 *   <tr><td>after a large tree</td><td>phase 3, entries, garbage of kind 1</td>
 *     <td>the sweeper</td></tr>
 *   <tr><td>after a deletion</td><td>no row of the session, garbage of kind 2</td>
 *     <td>the sweeper</td></tr>
 * </table>
 *
 * A row of {@code lane} is deleted once its server has not touched it for a day. There is no
 * recovery: at a start the server checks only the settings and the schema's version.
 *
 * <h2>Other servers</h2>
 *
 * A session in use assumes that its row is as it was at the last result, and asks its lane before
 * it replies. {@link sessiontree.store.postgres.Follower} looks up the rows of watched sessions
 * every second. Notifications ({@code LISTEN}) of completed and deleted sessions only make that
 * sooner, so a pooler that does not pass them on costs a second. {@link
 * sessiontree.store.postgres.Upkeep} advances {@code clock.running} while any server runs, by at
 * most five seconds a step; {@code --abandon-after} and {@code --delete-after} count this time. The
 * holder of the row {@code housekeeper} of {@code lease} looks for sessions that are due. The
 * holder of {@code sweeper} purges garbage: entries and writers at once, trees after five minutes.
 *
 * <h2>Threads</h2>
 *
 * <table>
 *   <caption>By name</caption>
 *   <tr><th>thread</th><th>owns</th></tr>
 *   <tr><td>{@code lane}, two</td><td>a connection, its groups, its view of each row</td></tr>
 *   <tr><td>{@code callbacks}</td><td>all results, also those that wait for a tree</td></tr>
 *   <tr><td>{@code finisher}, {@code heavy finisher}</td><td>trees that are being made</td></tr>
 *   <tr><td>{@code upkeep}</td><td>a connection: clock, count, claims, leases, garbage</td></tr>
 *   <tr><td>{@code follower}</td><td>a connection that listens</td></tr>
 *   <tr><td>{@code notifier}</td><td>notifications to send</td></tr>
 * </table>
 *
 * A reader uses one of eight connections for the duration of one query. The locks are a lane's
 * queue, and a session's view for readers: neither is held during a query, nor while the other is
 * taken. No transaction stays open while the server does anything else, so a server that is frozen,
 * or stopped by a debugger, holds no lock of the database.
 */
package sessiontree.store.postgres;
