/**
 * How sessions are kept: the interface that the session package needs, and the store that keeps
 * them in memory.
 */
package sessiontree.store;
