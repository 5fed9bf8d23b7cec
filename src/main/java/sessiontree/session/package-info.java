/** What may happen to a session, said once, for every store and for every way in. */
package sessiontree.session;
