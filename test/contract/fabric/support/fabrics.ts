/** Which fabrics the contract is run on: each statement of it, on each of them. */

export type Fabric = "stock" | "routed";

/** The fabrics that Signalbox has; each is held to the whole contract. */
const builtFabrics: readonly Fabric[] = ["stock", "routed"];

const asked = process.env["TEST_FABRIC"];

/** `TEST_FABRIC` names one, for whoever works on it. */
export const fabrics: readonly Fabric[] = asked === undefined ? builtFabrics : (asked.split(",") as Fabric[]);
