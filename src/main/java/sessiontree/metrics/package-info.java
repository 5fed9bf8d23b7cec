/** The metrics of a running server, in one table. Depends on no other package. */
package sessiontree.metrics;
