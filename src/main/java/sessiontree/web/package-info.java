/** The HTTP and WebSocket interface: routes, streams, and problem responses. */
package sessiontree.web;
