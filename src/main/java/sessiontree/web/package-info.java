/**
 * The HTTP and WebSocket interface. {@link Server} configures every route, and the handlers in
 * front of the routes, in their order; read it first.
 *
 * <table>
 * <caption>Where to look</caption>
 * <tr>
 *   <th>every request</th>
 *   <td>{@link ConnectionLimit}, {@link Dispatch} to a thread, {@link Access} ({@link Hosts}, {@link
 *       Cors}, {@link Origin}; {@link Tokens}, {@link Jwts}, {@link Role}), {@link Queries};
 *       {@link RequestCustomizer} and {@link HttpConnections} change what Jetty reads</td>
 * </tr>
 * <tr>
 *   <th>a stream</th>
 *   <td>{@link Streams} upgrades the request; a {@link StreamConnection} passes messages from its
 *       {@link StreamInput} through its {@link Mailbox} to the session, and their results, by a
 *       {@link Submission}, to its {@link StreamOutput}; {@link MessageCompression}, {@link
 *       Subprotocols}</td>
 * </tr>
 * <tr>
 *   <th>POST, DELETE</th>
 *   <td>{@link Bodies} reads, {@link Writes} parses and responds, {@link PendingWrites} waits for
 *       the store; {@link DiscardRemainder}</td>
 * </tr>
 * <tr>
 *   <th>memory of both</th>
 *   <td>{@link PartialMessage}, {@link InFlight}</td>
 * </tr>
 * <tr>
 *   <th>a tree</th>
 *   <td>{@link TreeHandler}, {@link Preconditions}, {@link TreeSender}, {@link Gzip}, {@link
 *       Hangup}</td>
 * </tr>
 * <tr>
 *   <th>watching</th>
 *   <td>{@link Live}, {@link LiveStream}, {@link LiveNews}, {@link LiveTree}, {@link WatchQueue},
 *       {@link ChildEvents}</td>
 * </tr>
 * <tr>
 *   <th>other reads</th>
 *   <td>{@link Listings}, {@link Monitoring}, {@link Assets}</td>
 * </tr>
 * <tr>
 *   <th>responses</th>
 *   <td>{@link Responses}; {@link Problems}, {@link Failures} (Javalin's), {@link ProblemErrors}
 *       (Jetty's); {@link RequestLog}</td>
 * </tr>
 * </table>
 */
package sessiontree.web;
