// Says whether a window measured the server's limit or somebody else's; pure.

const MIN_SATURATION = 0.95;
export const MAX_LOAD_CPU = 0.9;

/** `saturation`, `othersOnServerCore`, `loadCpu` are shares of a core. Answers "" when the servers were the limit. */
export function describeDoubt({ saturation, othersOnServerCore, loadCpu }) {
  const loadWarning = loadCpu > MAX_LOAD_CPU ? "  load generator near its limit" : "";
  if (saturation >= MIN_SATURATION) {
    return loadWarning;
  }
  if (othersOnServerCore > 1 - MIN_SATURATION) {
    return `  not saturated: other processes took ${(othersOnServerCore * 100).toFixed(0)} % of the servers' core${loadWarning}`;
  }
  return loadWarning === ""
    ? "  not saturated: the number in flight is the limit"
    : "  not saturated: the load generator is the limit";
}
