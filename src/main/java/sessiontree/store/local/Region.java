package sessiontree.store.local;

/**
 * Where a session's children lie in a run file: sorted, from an offset on.
 *
 * @param lsn the log's records of the session up to this one are covered by this region and older
 *     ones
 * @param crc CRC32C of the bytes
 */
record Region(RunFile file, long lsn, long offset, long length, int count, int crc) {}
