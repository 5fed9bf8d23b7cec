/**
 * The data that a client sends and gets back: messages, entries, trees, and the problems with them.
 * Depends on no other package.
 *
 * <p>An entry is parsed once, here, and becomes a <em>child</em>: the key by which it is ordered
 * and the bytes that it will have in the tree, without the prefix that all children share ({@link
 * sessiontree.event.Children}). After that, nothing looks into it again.
 */
package sessiontree.event;
