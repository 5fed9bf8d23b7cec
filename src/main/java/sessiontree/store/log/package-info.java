/**
 * A write-ahead log, and the disk below it: bytes, log sequence numbers and files. What the records
 * mean is their owner's business: see {@link WriteAheadLog}, and the manual of the local store,
 * which says how the files lie.
 */
package sessiontree.store.log;
