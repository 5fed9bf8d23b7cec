/**
 * A write-ahead log, and the disk below it: bytes, log sequence numbers and files. The payload of a
 * record is opaque here. See {@link WriteAheadLog}; the manual in {@code sessiontree.store.local}
 * has the layout of the files.
 */
package sessiontree.store.log;
