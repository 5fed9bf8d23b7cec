package sessiontree.store;

/**
 * The tree of an open session as it was at one moment, without an end. What is appended later is
 * not in it. The caller closes its tree.
 *
 * @param tree to be read; its tag says nothing
 * @param entries how many were stored, SESSION_START included
 * @param children how many the tree has
 */
public record PartialTree(Tree tree, long entries, long children) {}
