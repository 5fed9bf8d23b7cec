package sessiontree.store.local;

/**
 * The location of a session's sorted children in a run file.
 *
 * @param lsn the session's log records up to this LSN are covered by this region and older ones
 * @param crc CRC32C of the region's bytes
 */
record Region(RunFile file, long lsn, long offset, long length, int count, int crc) {}
