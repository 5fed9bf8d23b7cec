/** The way in and out: routes, the WebSocket, and how problems are reported. */
package sessiontree.web;
