/**
 * Takes the place of `_web_socket_server.ts` where a bundler builds for
 * browsers (the field `browser` of package.json), which then load none of the
 * code of servers.
 *
 * @module
 */

import type { Listener } from "../transport.ts";

/**
 * Says that there is nothing to listen with.
 *
 * @throws {TypeError} Always.
 */
export function listen(): Promise<Listener> {
  throw new TypeError(
    "Cannot listen: there is no WebSocket server in a browser, nor in what was bundled for one; " +
      "in Node pass one, such as that of the npm package ws: webSocket({ server: WebSocketServer })",
  );
}
