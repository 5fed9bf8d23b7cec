/** The rules for sessions, in one place for every store and every transport. */
package sessiontree.session;
