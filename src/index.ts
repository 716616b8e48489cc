/** Public exports of `signalbox`, nothing else. */

export { SignalboxError, type SignalboxErrorCode } from "./errors.js";
export type { SignalboxApp, SignalboxContext, SignalboxServerOptions } from "./worker/app-contract.js";
export { attach } from "./worker/attach.js";
