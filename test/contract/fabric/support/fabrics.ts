/** Which fabrics the contract is run on, and on how many hosts: each statement of it, on each of them. */

export type Fabric = "stock" | "routed";

/** Several hosts are joined by a Redis of their own. */
export interface Layout {
  /** For people, and for `TEST_FABRIC`. */
  readonly name: LayoutName;
  readonly fabric: Fabric;
  readonly hosts: number;
  readonly workersPerHost: number;
  /** The hosts are of so many regions, in turn, linked to each other, each with a Redis of its own. */
  readonly regions?: number;
}

export type LayoutName = Fabric | "routed-2x2" | "routed-3x1" | "routed-2x2x1";

/** On one host each fabric that Signalbox has; each is held to the whole contract. */
const layouts: readonly Layout[] = [
  { name: "stock", fabric: "stock", hosts: 1, workersPerHost: 4 },
  { name: "routed", fabric: "routed", hosts: 1, workersPerHost: 4 },
  { name: "routed-2x2", fabric: "routed", hosts: 2, workersPerHost: 2 },
  { name: "routed-3x1", fabric: "routed", hosts: 3, workersPerHost: 1 },
  { name: "routed-2x2x1", fabric: "routed", hosts: 4, workersPerHost: 1, regions: 2 },
];

/** For whoever works on one of them: `TEST_FABRIC=routed`, `TEST_FABRIC=routed-2x2,routed-3x1`. */
const chosen = process.env["TEST_FABRIC"];
const isFull = process.env["TEST_SIZE"] === "full";

export const isChosen = chosen !== undefined;
/** Each layout is held to all of the contract then, and otherwise to what is worth its time in each run. */
export const isWhole = isChosen || isFull;

/** @param onSeveralHosts those that are run at normal size as well */
export function chooseLayouts(onSeveralHosts: readonly string[] = []): readonly Layout[] {
  if (chosen !== undefined) return chosen.split(",").map(findLayout);
  return layouts.filter(({ name, hosts }) => hosts === 1 || isFull || onSeveralHosts.includes(name));
}

function findLayout(name: string): Layout {
  const found = layouts.find((layout) => layout.name === name);
  if (found !== undefined) return found;
  throw new Error(`TEST_FABRIC: there is no ${name}, only ${layouts.map((layout) => layout.name).join(", ")}`);
}
