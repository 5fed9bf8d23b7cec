package sessiontree.store;

/**
 * The tree of an open session at one moment, without an end. It does not have what is appended
 * later. The caller closes {@code tree}.
 *
 * @param tree the tree; its tag has no meaning
 * @param entries the number of stored entries, SESSION_START included
 * @param children the number of children in the tree
 */
public record PartialTree(Tree tree, long entries, long children) {}
