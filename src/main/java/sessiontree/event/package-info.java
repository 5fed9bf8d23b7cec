/**
 * What a client sends and gets back: messages, entries, trees, and what can be wrong with them.
 * Knows no other package.
 *
 * <p>An entry is parsed once, here, and turned into a <em>child</em>: the key it is ordered by and
 * the bytes it will have in the tree behind what all children begin with ({@link
 * sessiontree.event.Children}). From there on it is not looked into again.
 */
package sessiontree.event;
