/**
 * Sorting of children: in memory, and by merging cursors that are already sorted. Depends only on
 * the byte layout of children.
 */
package sessiontree.sort;
