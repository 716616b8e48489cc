/** Which fabrics the contract is run on: each statement of it, on each of them. */

export type Fabric = "stock" | "routed";

/** The fabrics that Signalbox has; each is held to the whole contract. */
const allFabrics: readonly Fabric[] = ["stock", "routed"];

/** For whoever works on one of them: `TEST_FABRIC=routed`. */
const chosen = process.env["TEST_FABRIC"];

export const isChosen = chosen !== undefined;

export const fabrics: readonly Fabric[] = chosen === undefined ? allFabrics : (chosen.split(",") as Fabric[]);
