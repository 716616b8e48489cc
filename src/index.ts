/** Public exports of `signalbox`, nothing else. */

export type { SignalboxApp, SignalboxContext, SignalboxServerOptions } from "./worker/app-contract.js";
export { SignalboxError, type SignalboxErrorCode } from "./errors.js";
