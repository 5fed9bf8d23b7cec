/** The way in and out: routes, the WebSocket, and how problems are told. */
package sessiontree.web;
