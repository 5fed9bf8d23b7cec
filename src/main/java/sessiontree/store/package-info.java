/** Storage of sessions: the interface that the session package needs, and the store in memory. */
package sessiontree.store;
