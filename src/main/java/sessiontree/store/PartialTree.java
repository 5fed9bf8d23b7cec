package sessiontree.store;

/**
 * The tree of an open session as it was at one moment, without an end. What is appended later is
 * not in it. Whoever asked closes its tree.
 *
 * @param tree to be read; its tag says nothing
 * @param start the timestamp of SESSION_START, as it was sent
 * @param entries how many were stored, SESSION_START included
 * @param children how many the tree has
 */
public record PartialTree(Tree tree, String start, long entries, long children) {}
