/**
 * Keeps sessions in a PostgreSQL that several servers share: the same promises as those of a
 * folder, with nothing local. This is its manual; {@code schema.sql} has the tables.
 *
 * <h2>A session's rows</h2>
 *
 * {@code session} has one row for each. {@code born} is its number: nobody ever gets it again, so
 * the same id after a deletion is another session, and a tree's tag is {@code born} in base 36.
 * {@code phase} is 1 while it is open, 2 when it has its SESSION_END, 3 when its tree can be read.
 * {@code seq} counts appends: an append says which it expects, and what expects another changes
 * nothing. {@code entry} has the children of open sessions, as {@link sessiontree.event.Children}
 * lays them out, a row for all that a session got in one group; {@code before} says how many came
 * earlier, so that reading can go on anywhere and notices a gap. {@code tree} has the trees of
 * complete ones in parts of 256 KiB. {@code writer} has the last number of each named writer.
 *
 * <h2>An append</h2>
 *
 * <ol>
 *   <li>{@link sessiontree.store.postgres.PostgresSession#append} queues it in the lane of its id.
 *       A server has two {@link sessiontree.store.postgres.Lane lanes}, each a thread and a
 *       connection.
 *   <li>The lane takes all that is queued: a {@link sessiontree.store.postgres.Group}, in which
 *       appends of a session that follow each other are one change of its row. It goes as {@link
 *       sessiontree.store.postgres.AppendStatement one statement}, one commit; what is queued
 *       meanwhile is the next group.
 *   <li>The statement returns which changes found another sequence, as another server was first.
 *       Those rows are read, and {@link sessiontree.store.postgres.Outcomes} gives the results:
 *       stored, or outdated with what is there; the {@code session} package then checks the
 *       messages again. An append of nothing has its result from a look at the row, behind the
 *       group.
 * </ol>
 *
 * <h2>The fence</h2>
 *
 * A statement whose connection breaks, whose reply does not come within ten seconds, or whose
 * commit comes with a warning, may be stored, or be stored later. To find out, each lane has a row
 * in {@code lane}:
 *
 * <ul>
 *   <li>The statement begins with that row, and does nothing unless it is of the lane's epoch. It
 *       ends with writing its number there, and which of its changes were outdated: in the same
 *       commit, so the row says all, whatever other servers did to the sessions since.
 *   <li>The lane connects anew, each second, and adds one to the epoch. That waits for a statement
 *       that still holds the row, and for the standbys, so what the row says then is final. A
 *       statement of the old epoch that arrives even later does nothing.
 *   <li>If the row has the group's number, the group is stored; else it is not, and is sent again.
 * </ul>
 *
 * Meanwhile what other sessions get is refused at once, as it was certainly not sent. After eight
 * seconds the senders of the group get the result that nobody knows; the lane goes on trying. No
 * statement has a time limit of the driver's ({@code setQueryTimeout}): it would turn a commit that
 * waits for the standbys into a success.
 *
 * <h2>The end</h2>
 *
 * An append with SESSION_END makes phase 2, and has its result when the phase is 3. The {@link
 * sessiontree.store.postgres.Finisher} of the same server reads the entries of all sessions that
 * ended meanwhile, sorts them, and publishes their trees in one statement. A large one goes through
 * {@link sessiontree.sort.ExternalSort} into parts with a commit each; the last makes phase 3.
 * {@code claimed} is renewed while it is at it. What was not claimed for ten seconds another server
 * takes; two at once do no harm, as entries do not change any more and phase 3 comes once.
 *
 * <h2>What a crash can leave</h2>
 *
 * <table>
 *   <caption>By the moment</caption>
 *   <tr><th>the server dies</th><th>what is there</th><th>what goes on</th></tr>
 *   <tr><td>before the statement's commit</td><td>nothing of the group</td>
 *     <td>the client, by its number</td></tr>
 *   <tr><td>after it</td><td>the whole group</td>
 *     <td>the client learns it by its number</td></tr>
 *   <tr><td>after SESSION_END</td><td>phase 2, maybe parts of the tree</td>
 *     <td>any server, ten seconds later</td></tr>
 *   <tr><td>after a large tree</td><td>phase 3, entries, garbage of kind 1</td>
 *     <td>the sweeper</td></tr>
 *   <tr><td>after a deletion</td><td>no row of the session, garbage of kind 2</td>
 *     <td>the sweeper</td></tr>
 * </table>
 *
 * A server's own row in {@code lane} goes after a day. There is no recovery: a start looks at
 * settings and the schema's version, no more.
 *
 * <h2>Other servers</h2>
 *
 * A session in use believes its row to be what it was at the last result, and asks its lane before
 * anything is said. {@link sessiontree.store.postgres.Changes} looks up the rows of watched
 * sessions every second; a notification ({@code LISTEN}) of what completed or was deleted only
 * makes it sooner, so a pooler that does not pass them on costs a second. {@link
 * sessiontree.store.postgres.Upkeep} advances {@code clock.running} while any server runs, at most
 * five seconds a step, which is the time of {@code --abandon-after} and {@code --delete-after}; the
 * holder of the row {@code housekeeper} of {@code lease} looks for what is due, and that of {@code
 * sweeper} takes garbage away: entries and writers at once, trees after five minutes.
 *
 * <h2>Threads</h2>
 *
 * <table>
 *   <caption>By name</caption>
 *   <tr><th>thread</th><th>owns</th></tr>
 *   <tr><td>{@code lane}, two</td><td>a connection, its groups, what a session's row is known to be</td></tr>
 *   <tr><td>{@code callbacks}</td><td>all results; results that wait for a tree</td></tr>
 *   <tr><td>{@code finisher}, {@code heavy finisher}</td><td>trees that are being made</td></tr>
 *   <tr><td>{@code upkeep}</td><td>a connection: clock, count, claims, leases, garbage</td></tr>
 *   <tr><td>{@code changes}</td><td>a connection that listens</td></tr>
 *   <tr><td>{@code notifier}</td><td>notifications that are sent</td></tr>
 * </table>
 *
 * A reader takes one of eight connections for as long as one query takes. Locks: a lane's queue,
 * and a session's view for readers; no lock is held over a query, and none of the two while the
 * other is taken. No transaction is left open while the server does anything else, so a server that
 * is stopped by a debugger, or frozen, holds no lock of the database.
 */
package sessiontree.store.postgres;
