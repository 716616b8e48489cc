/** Public exports of `signalbox/client`, the browser library, nothing else; runs in a browser as compiled. */

/** Reads from a session id or socket id which host and worker serve it. */
export { type Address, parseAddress as readAddress } from "../address/address.js";
