package sessiontree.store;

import java.io.InputStream;

/**
 * The JSON tree of a complete session, open for reading. It stays readable when the session is
 * deleted meanwhile.
 *
 * @param bytes its length
 */
public record Tree(InputStream content, long bytes) {}
