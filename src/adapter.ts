/** Public exports of `signalbox/adapter`, for programs that fork their own workers, and nothing else. */

export { type AdapterPrimaryOptions, setupPrimary } from "./primary/adapter-primary.js";
export { type AdapterOptions, createAdapter } from "./worker/fabric/create-adapter.js";
