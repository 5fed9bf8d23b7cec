/**
 * Bringing children into order: in memory, and by merging what is in order already. Knows only how
 * children lie in bytes.
 */
package sessiontree.sort;
