/** What can be seen of a running server from outside, in one table. It knows nobody. */
package sessiontree.metrics;
